// web/dashboard.js - the instances that a token opens: how they are, and what can be done
const POLL_MS = 5000;
const list = { cards: new Map(), timer: 0, run: 0 };

const phoneOf = (jid) => jid ? `+${jid.replace(/[:@].*$/, '')}` : '';

function card(instance) {
	const { name, connection: c, history } = instance, phone = phoneOf(instance.numberJid), ever = phone !== '';
	const button = (what, act, className = '') => h('button', { type: 'button', className, 'data-do': what, 'aria-label': `${say(`do_${what}`)}: ${name}`, onclick: act }, say(`do_${what}`));
	const error = c.lastError && c.state !== 'connected' ? sayError(c.lastError.code) : null;
	return h('li', { className: 'card', 'data-name': name }, h('div', { className: 'row' }, h('h2', {}, name), h('span', { className: `badge ${c.state}` }, say(`state_${c.state}`))),
		h('p', {}, ever ? say('linked_as', phone) : say('never'), ever && c.since ? `, ${say('since', moment(c.since))}` : ''),
		error && h('p', { className: 'trouble' }, `${say('last_error', moment(c.lastError.at))} ${error[0]} `, h('small', {}, `(${c.lastError.code})`)),
		c.nextRetryAt && h('p', {}, say('next_try', moment(c.nextRetryAt))),
		history && [h('p', { id: `history-${name}` }, say('history_got', history.progress, history.messages)),
			h('progress', { max: 100, value: history.progress, 'aria-labelledby': `history-${name}` })],
		h('div', { className: 'actions' },
			c.state !== 'connected' && button('link', () => linkOpen(name), 'main'),
			c.state !== 'connected' && ever && button('reconnect', () => act('POST', `reconnect/${name}`)),
			c.state !== 'connected' && button('share', () => share(name)),
			ever && c.state !== 'loggedout' && button('logout', () => ask('logout', name, () => act('DELETE', `logout/${name}`))),
			button('delete', () => ask('delete', name, () => act('DELETE', `delete/${name}`)), 'bad')));
}

// Only what has changed is drawn anew, and whoever was at a button of it stays there.
function draw(instances) {
	const cards = new Map();
	for (const instance of instances) {
		const text = lang + JSON.stringify(instance), before = list.cards.get(instance.name);
		const node = before?.text === text ? before.node : card(instance);
		const at = before && before.node !== node && before.node.contains(document.activeElement) ? document.activeElement.dataset.do : null;
		cards.set(instance.name, { text, node, instance, at });
	}
	list.cards = cards;
	const nodes = [...cards.values()].map(({ node }) => node);
	if (nodes.length !== $('list').children.length || nodes.some((n, i) => n !== $('list').children[i]))
		$('list').replaceChildren(...nodes);
	for (const { node, at } of cards.values())
		if (at)
			node.querySelector(`[data-do=${at}]`)?.focus();
	$('list-empty').hidden = nodes.length > 0;
}

async function listLoad() {
	const run = ++list.run;
	clearTimeout(list.timer);
	try {
		const { instances } = await call('GET', 'list');
		if (run !== list.run)
			return;
		draw(instances);
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

async function share(name) {
	const answer = await act('POST', `link/${name}`, {});
	if (!answer)
		return;
	$('ask-url').value = answer.url;
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
	$('forget').addEventListener('click', () => signOut());
	$('ask-copy').addEventListener('click', () => copy($('ask-url').value, $('ask-copy')));
	$('ask-url').addEventListener('focus', () => $('ask-url').select());
}
