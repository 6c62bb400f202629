// web/dashboard.js - the instances that a token opens: how they are, and what can be done
const POLL_MS = 5000;
const FIND_FROM = 7;
const SHARE_HOURS = [1, 8, 24];
const STATES = ['connected', 'connecting', 'disconnected', 'loggedout', 'banned'];
const list = { cards: new Map(), timer: 0, run: 0, known: false, options: '' };

const phoneOf = (jid) => jid ? `+${jid.replace(/[:@].*$/, '')}` : '';
const megabytes = ({ memoryBytes }) => memoryBytes ? count(memoryBytes / 1048576, 1) : '';

function card(instance) {
	const { name, connection: c, history, profile } = instance, phone = phoneOf(instance.numberJid), memory = megabytes(instance);
	const online = c.state === 'connected', saved = phone !== '' && c.state !== 'loggedout';
	const as = phone + (profile?.name ? ` (${profile.name})` : '');
	const button = (what, act, className = '') => h('button', { type: 'button', className, 'data-do': what, 'aria-label': `${say(`do_${what}`)}: ${name}`, onclick: act }, say(`do_${what}`));
	const error = c.lastError && !online ? sayError(c.lastError.code) : null;
	return h('li', { className: 'card', 'data-name': name }, h('div', { className: 'row' }, h('h2', {}, name), h('span', { className: `badge ${c.state}` }, say(`state_${c.state}`))),
		h('p', {}, phone === '' ? say('never') : say(saved ? 'linked_as' : 'was_linked_as', as)),
		phone !== '' && c.since && h('p', {}, say('since', say(`state_${c.state}`), moment(c.since))),
		memory !== '' && h('p', {}, say('memory', memory)),
		error && h('p', { className: 'trouble' }, `${say('last_error', moment(c.lastError.at))} ${error[0]} `, h('small', {}, `(${c.lastError.code})`)),
		error && h('p', {}, error[1]),
		c.nextRetryAt && h('p', {}, say('next_try', moment(c.nextRetryAt))),
		history && h('p', { id: `history-${name}` }, history.progress < 100 ? say('history_got', history.progress, count(history.messages)) : say('history_done', count(history.messages))),
		history && history.progress < 100 && h('progress', { max: 100, value: history.progress, 'aria-labelledby': `history-${name}` }),
		h('div', { className: 'actions' },
			!online && saved && button('reconnect', () => act('POST', `reconnect/${name}`), 'main'),
			!online && button('link', () => linkOpen(name, saved), saved ? '' : 'main'),
			!saved && button('share', () => share(name)),
			saved && button('logout', () => ask('logout', name, () => act('DELETE', `logout/${name}`))),
			button('delete', () => ask('delete', name, () => act('DELETE', `delete/${name}`)), 'bad')));
}

// How many there are in each state, to choose from; only where there are more than one looks over.
function drawFind(instances) {
	const n = {}, chosen = $('find-state').value;
	for (const { status } of instances)
		n[status] = (n[status] ?? 0) + 1;
	const options = [['', `${say('find_all')} (${count(instances.length)})`], ...STATES.filter((s) => n[s] || s === chosen).map((s) => [s, `${say(`state_${s}`)} (${count(n[s] ?? 0)})`])];
	if (options.join() !== list.options) {
		list.options = options.join();
		$('find-state').replaceChildren(...options.map(([value, text]) => h('option', { value, selected: value === chosen }, text)));
	}
	$('list-find').hidden = instances.length < FIND_FROM;
}

function wanted({ name, status, numberJid, profile }) {
	const state = $('find-state').value, text = $('find').value.trim().toLowerCase().replace(/^\+/, '');
	return $('list-find').hidden || ((state === '' || status === state) && `${name} ${phoneOf(numberJid)} ${profile?.name ?? ''}`.toLowerCase().includes(text));
}

// Only what has changed is drawn anew, and whoever was at a button of it stays there.
function draw(instances) {
	const cards = new Map();
	for (const instance of instances) {
		const text = lang + JSON.stringify({ ...instance, memoryBytes: megabytes(instance) }), before = list.cards.get(instance.name);
		const node = before?.text === text ? before.node : card(instance);
		const at = before && before.node !== node && before.node.contains(document.activeElement) ? document.activeElement.dataset.do : null;
		cards.set(instance.name, { text, node, instance, at });
	}
	list.cards = cards;
	drawFind(instances);
	const shown = [...cards.values()].filter(({ instance }) => wanted(instance)), nodes = shown.map(({ node }) => node);
	if (nodes.length !== $('list').children.length || nodes.some((n, i) => n !== $('list').children[i]))
		$('list').replaceChildren(...nodes);
	for (const { node, at } of shown)
		if (at)
			node.querySelector(`[data-do=${at}]`)?.focus();
	$('list-empty').hidden = !list.known || instances.length > 0;
	$('list-none').hidden = instances.length === 0 || nodes.length > 0;
}

const redraw = () => draw([...list.cards.values()].map(({ instance }) => instance));

function listShow(instances) {
	list.known = true;
	draw(instances);
}

async function listAsk() {
	const { instances } = await call('GET', 'list?memory=true');
	if (!Array.isArray(instances))
		throw new Failure('offline'); // JSON, but of no gateway
	return instances;
}

async function listLoad() {
	const run = ++list.run;
	clearTimeout(list.timer);
	try {
		const instances = await listAsk();
		if (run !== list.run)
			return;
		listShow(instances);
		if ($('list-error').dataset.from === 'load')
			showError($('list-error'), null);
	} catch (failure) {
		if (run !== list.run)
			return;
		if (failure.code === 'invalid_token') {
			signOut(failure);
			return;
		}
		showError($('list-error'), failure);
		$('list-error').dataset.from = 'load';
	}
	list.timer = setTimeout(() => document.hidden ? listLater() : listLoad(), POLL_MS);
}

// Nobody looks: not before somebody does.
function listLater() {
	document.addEventListener('visibilitychange', () => list.timer !== 0 && listLoad(), { once: true });
}

function listStop() {
	list.run++;
	clearTimeout(list.timer);
	list.timer = 0;
}

function listOpen() {
	linkStop();
	showError($('list-error'), null);
	view('list');
	listLoad();
}

// A TokenInstance is an invalid one where only the account's will do.
const accountNeeded = (failure, path) => failure.code === 'invalid_token' && /^(new|delete)/.test(path) ? new Failure('account_token') : failure;

async function act(method, path, body) {
	showError($('list-error'), null);
	$('list').setAttribute('aria-busy', 'true');
	let answer = null;
	try {
		answer = await call(method, path, body);
	} catch (failure) {
		showError($('list-error'), accountNeeded(failure, path));
		$('list-error').dataset.from = 'act';
	}
	$('list').removeAttribute('aria-busy');
	if (!$('view-list').hidden)
		listLoad();
	return answer;
}

// Another time means another link: the one before is no longer good then.
async function share(name, hours = 1) {
	const answer = await act('POST', `link/${name}`, { expiresIn: hours * 3600 });
	if (!answer) {
		$('ask').close('no');
		return;
	}
	$('ask-url').value = answer.url;
	$('ask-for').replaceChildren(...SHARE_HOURS.map((n) => h('option', { value: n, selected: n === hours },
		n.toLocaleString(lang, { style: 'unit', unit: 'hour', unitDisplay: 'long' }))));
	$('ask-for').onchange = () => share(name, Number($('ask-for').value));
	dialog({ title: say('share_title', name), text: say('share_text', moment(answer.expiresAt)), url: true });
}

function ask(what, name, yes) {
	dialog({ title: say(`${what}_title`, name), text: say(`${what}_text`), button: say(`do_${what}`), yes });
}

// With a button: a question. Without: something to read.
function dialog({ title, text, url = false, button, yes }) {
	$('ask-title').textContent = title;
	$('ask-text').textContent = text;
	$('ask-url-box').hidden = !url;
	$('ask-yes').hidden = !button;
	$('ask-yes').textContent = button ?? '';
	$('ask-no').textContent = say(button ? 'cancel' : 'close');
	$('ask-copy').textContent = say('copy');
	$('ask').returnValue = 'no';
	$('ask').onclose = () => {
		$('ask-url').value = '';
		if ($('ask').returnValue === 'yes')
			yes();
	};
	if (!$('ask').open)
		$('ask').showModal();
}

async function create(event) {
	event.preventDefault();
	const name = $('new-name').value.trim();
	if (await act('POST', 'new', { name })) {
		$('new-name').value = '';
		linkOpen(name);
	}
}

function listListen() {
	$('new-form').addEventListener('submit', create);
	$('find').addEventListener('input', redraw);
	$('find-state').addEventListener('change', redraw);
	$('forget').addEventListener('click', () => signOut());
	$('ask-copy').addEventListener('click', () => copy($('ask-url').value, $('ask-copy')));
	$('ask-url').addEventListener('focus', () => $('ask-url').select());
}
