// web/app.js - the frame: views, languages, the token, and what all of them use
const $ = (id) => document.getElementById(id);
const VIEWS = ['token', 'list', 'link'];
let started = false;

// An element; children may be nested, and what is null or false is left out.
function h(tag, props, ...children) {
	const node = document.createElement(tag);
	for (const [key, value] of Object.entries(props))
		if (key in node && !key.includes('-'))
			node[key] = value;
		else
			node.setAttribute(key, value);
	node.append(...children.flat(2).filter((c) => c !== null && c !== false && c !== undefined && c !== ''));
	return node;
}

const count = (n, digits = 0) => n.toLocaleString(lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const moment = (iso) => new Date(iso).toLocaleString(lang, { dateStyle: 'medium', timeStyle: 'short' });

function announce(text) {
	$('say').textContent = text;
}

// failure: a Failure, [what, next], or null to clear.
function showError(box, failure, retry) {
	box.hidden = failure === null;
	box.replaceChildren();
	delete box.dataset.from;
	if (failure === null)
		return;
	if (!Array.isArray(failure) && !(failure instanceof Failure))
		failure = new Failure('bug');
	const [what, next] = Array.isArray(failure) ? failure : sayError(failure.code, failure.retryAfter);
	box.append(h('strong', {}, what), h('span', {}, next));
	if (!Array.isArray(failure) && !['offline', 'account_token', 'link_not_valid', 'code_differs'].includes(failure.code))
		box.append(h('br', {}), h('small', {}, `${say('code')}: ${failure.code}${failure.detail ? ` (${failure.detail})` : ''}`));
	if (retry)
		box.append(h('br', {}), h('button', { type: 'button', className: 'main', onclick: retry }, say('retry')));
}

async function copy(text, button) {
	try {
		await navigator.clipboard.writeText(text);
		button.textContent = say('copied');
		announce(say('copied'));
	} catch {
		// no clipboard here: it can be selected by hand
	}
}

function view(name) {
	for (const v of VIEWS)
		$(`view-${v}`).hidden = v !== name;
	if (name !== 'list')
		listStop();
	texts();
	if (started)
		$(`view-${name}`).querySelector('h1').focus();
}

function texts() {
	document.documentElement.lang = lang;
	document.title = `Warden: ${say('page')}`;
	for (const node of document.querySelectorAll('[data-t]'))
		node.textContent = say(node.dataset.t);
	for (const node of document.querySelectorAll('[data-t-label]'))
		node.setAttribute('aria-label', say(node.dataset.tLabel));
	for (const node of document.querySelectorAll('[data-t-hint]'))
		node.placeholder = say(node.dataset.tHint);
	if (!$('view-link').hidden)
		linkTexts();
	if (!$('view-list').hidden)
		redraw();
}

function signOut(failure = null) {
	linkStop();
	token = '';
	$('token').value = '';
	list.cards = new Map();
	list.known = false;
	$('find').value = $('find-state').value = '';
	view('token');
	showError($('token-error'), failure);
	$('token').focus();
}

async function signIn(event) {
	event?.preventDefault();
	token = $('token').value.trim();
	try {
		const instances = await listAsk();
		$('token').value = '';
		showError($('token-error'), null);
		listOpen();
		listShow(instances);
	} catch (failure) {
		token = '';
		showError($('token-error'), failure);
		$('token').focus();
	}
}

// #token=…&instance=… is carried in the part of an address that no server sees, and taken out of it at once.
function carried() {
	const given = new URLSearchParams(location.hash.slice(1));
	if (!given.has('token'))
		return false;
	history.replaceState(null, '', location.pathname + location.search);
	token = given.get('token');
	if (given.has('instance'))
		linkOpen(given.get('instance'));
	else
		listOpen();
	return true;
}

async function once() {
	view('link');
	const [navigation] = performance.getEntriesByType('navigation');
	try {
		if (navigation?.responseStatus === 410)
			throw new Failure('link_not_valid');
		const status = await call('GET', 'status');
		Object.assign(link, { fixedNumber: status.number ?? '', expires: status.expiresAt });
		linkOpen(status.name);
	} catch (failure) {
		linkFail(failure);
	}
}

function chooseLanguage() {
	const wanted = [new URLSearchParams(location.search).get('lang'), ...navigator.languages];
	lang = wanted.map((l) => l?.slice(0, 2).toLowerCase()).find((l) => l in WORDS) ?? 'en';
	$('language').value = lang;
	$('language').addEventListener('change', () => {
		lang = $('language').value;
		texts();
	});
}

chooseLanguage();
linkListen();
listListen();
$('token-form').addEventListener('submit', signIn);
if (ONCE)
	once();
else if (!carried())
	view('token');
started = true;
