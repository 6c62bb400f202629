// web/link.js - one instance on its way to be linked: codes as they come, the passkey step, the end
const STAGES = ['code', 'wait', 'passkey', 'confirm'];
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 8000];
const MAY_PASS = ['offline', 'shutting_down', 'at_capacity'];

const link = {
	name: '', saved: false, method: 'qr', number: '', fixedNumber: '', history: 0, expires: '', as: '', // what is asked for, and as whom it is linked
	run: 0, control: null, tries: 0, // of the stream that is read now
	stage: '', wait: 'wait_start', coded: false, code: '', until: 0, total: 60, publicKey: null, failure: null, ticks: 0
};

function linkPath() {
	const query = new URLSearchParams();
	if (link.method === 'code')
		query.set(...(link.number === '' ? ['code', '1'] : ['number', link.number]));
	if (link.history > 0 && !ONCE)
		query.set('history', link.history);
	return (ONCE ? 'connect' : `connect/${encodeURIComponent(link.name)}`) + (String(query) !== '' ? `?${query}` : '');
}

const passkeyPath = (rest = '') => (ONCE ? 'passkey' : `passkey/${encodeURIComponent(link.name)}`) + rest;

function linkStage(stage, wait) {
	const came = stage !== link.stage;
	link.stage = stage;
	if (wait)
		link.wait = wait;
	for (const s of STAGES)
		$(`stage-${s}`).hidden = s !== stage;
	$('number-form').hidden = link.method !== 'code' || link.fixedNumber !== '' || stage === 'passkey' || stage === 'confirm';
	$('history-box').hidden = ONCE || stage === 'passkey' || stage === 'confirm';
	$('steps').hidden = stage === 'passkey' || stage === 'confirm';
	$('method').hidden = stage === 'passkey' || stage === 'confirm';
	if (stage === 'wait') {
		$('wait-text').textContent = say(link.wait);
		announce(say(link.wait));
	}
	if (came && (stage === 'passkey' || stage === 'confirm'))
		$(`stage-${stage}`).querySelector('h2').focus();
}

function linkStop() {
	link.run++;
	link.control?.abort();
	link.control = null;
	clearInterval(link.ticks);
	link.code = '';
}

// A saved link is resumed, and only where that has ended meanwhile a code is shown.
const waitStart = () => (link.saved ? 'wait_resume' : 'wait_start');

function linkStart() {
	linkStop();
	link.tries = 0;
	link.coded = false;
	link.failure = null;
	showError($('link-error'), null);
	$('link-work').hidden = false;
	$('link-done').hidden = true;
	for (const which of ['qr', 'code'])
		$(`steps-${which}`).hidden = which !== link.method;
	if (link.method === 'code' && link.number === '' && link.fixedNumber === '') {
		linkStage('');
		return;
	}
	linkStage('wait', waitStart());
	linkFollow(link.run);
}

async function linkFollow(run) {
	let over = false;
	link.control = new AbortController();
	try {
		await follow(linkPath(), link.control, (event, data) => {
			if (run === link.run && !over)
				over = onLinkEvent(event, data);
		});
		if (!over)
			throw new Failure('offline');
	} catch (failure) {
		if (run === link.run)
			linkFail(failure instanceof Failure ? failure : new Failure('bug'));
	}
}

// True: it was the last one.
function onLinkEvent(event, data) {
	const on = {
		qr: () => linkCode(data, ''), pairing: () => linkCode(data, data.pairingCode),
		connecting: () => linkStage('wait', link.coded ? 'wait_link' : waitStart()),
		passkey: () => linkPasskey(data.passkey), passkey_confirm: () => linkConfirm(data.passkey),
		connected: () => linkDone(data), timeout: () => linkFail(new Failure(data.error.code)),
		failed: () => linkFail(new Failure(data.error.code, data.error.detail))
	}[event];
	on?.();
	return ['connected', 'timeout', 'failed'].includes(event);
}

function linkCode(data, typed) {
	link.tries = 0;
	link.coded = true;
	link.code = typed;
	link.total = data.expiresIn;
	link.until = Date.now() + data.expiresIn * 1000;
	$('qr-box').hidden = $('same-phone').hidden = typed !== '';
	$('pairing').hidden = $('copy-code').hidden = typed === '';
	if (typed === '') {
		$('qr').src = data.qrCodeBase64;
		$('qr').alt = say('qr_alt');
	}
	$('pairing').textContent = typed;
	$('copy-code').textContent = say('copy');
	$('qr-box').classList.remove('old');
	linkStage('code');
	announce(typed === '' ? say('qr_new') : say('code_new', [...typed].join(' ')));
	clearInterval(link.ticks);
	link.ticks = setInterval(linkTick, 1000);
	linkTick();
}

function linkTick() {
	const left = Math.max(0, Math.ceil((link.until - Date.now()) / 1000));
	$('clock').textContent = left === 0 ? say('clock_over') : say(link.code === '' ? 'clock' : 'clock_left', left);
	$('ring').style.strokeDashoffset = 100 - 100 * left / link.total;
	$('qr-box').classList.toggle('old', left === 0);
}

const linkDoneText = () => (ONCE ? say('done_once') : link.as === '' ? say('done_text', link.name) : say('done_as', link.name, link.as));

function linkDone(data) {
	linkStop();
	link.as = phoneOf(data.numberJid);
	announce(say('done_title'));
	$('link-work').hidden = true;
	$('link-done').hidden = false;
	$('link-lead').textContent = '';
	$('done-text').textContent = linkDoneText();
	$('done-back').hidden = ONCE;
	$('link-done').querySelector('h2').focus();
}

function linkFail(failure) {
	const run = link.run;
	if (MAY_PASS.includes(failure.code) && link.tries < RETRY_MS.length) {
		clearInterval(link.ticks);
		linkStage('wait', 'wait_net');
		setTimeout(() => run === link.run && linkFollow(run), RETRY_MS[link.tries++]);
		return;
	}
	linkStop();
	if (failure.code === 'invalid_token' && !ONCE) {
		signOut(failure);
		return;
	}
	linkEnd(ONCE && failure.code === 'invalid_token' ? new Failure('link_not_valid') : failure); // replaced meanwhile
}

function linkEnd(failure) {
	link.failure = failure;
	linkStage('');
	linkShowFailure();
}

function linkShowFailure() {
	const final = ['link_not_valid', 'deleted', 'instance_not_found'].includes(link.failure.code);
	$('link-work').hidden = final;
	if (final)
		$('link-lead').textContent = '';
	showError($('link-error'), link.failure, final ? null : () => {
		linkStart();
		$('link-title').focus();
	});
}

// ---- the passkey step -------------------------------------------------------------------------

const fromBase64 = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const toBase64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

function linkPasskey(passkey) {
	link.publicKey = passkey.publicKey;
	$('passkey-error').hidden = true;
	linkStage('passkey');
}

function linkConfirm(passkey) {
	$('confirm-code').textContent = passkey.confirmationCode;
	$('confirm-go').disabled = false;
	linkStage('confirm');
}

// What the browser is asked: bytes where the JSON has base64url.
function requestOptions(json) {
	return { ...json, challenge: fromBase64(json.challenge),
		...(json.allowCredentials && { allowCredentials: json.allowCredentials.map((c) => ({ ...c, id: fromBase64(c.id) })) }) };
}

function credentialJson(c) {
	if (typeof c.toJSON === 'function')
		return c.toJSON();
	const { clientDataJSON, authenticatorData, signature, userHandle } = c.response;
	return { id: c.id, rawId: toBase64(c.rawId), type: c.type, clientExtensionResults: {},
		response: { clientDataJSON: toBase64(clientDataJSON), authenticatorData: toBase64(authenticatorData), signature: toBase64(signature),
			...(userHandle && { userHandle: toBase64(userHandle) }) } };
}

async function passkeySend(json) {
	try {
		await call('POST', passkeyPath(), json);
		linkStage('wait', 'wait_confirm');
	} catch (failure) {
		showError($('passkey-error'), failure);
	}
}

async function passkeyGo() {
	let credential;
	$('passkey-go').disabled = true;
	try {
		credential = credentialJson(await navigator.credentials.get({ publicKey: requestOptions(link.publicKey) }));
	} catch {
		showError($('passkey-error'), [say('passkey_no'), say('passkey_no_next')]);
		$('passkey-hand').open = true;
	}
	$('passkey-go').disabled = false;
	if (credential)
		await passkeySend(credential);
}

async function confirmGo() {
	$('confirm-go').disabled = true;
	try {
		await call('POST', passkeyPath('/confirm'));
		linkStage('wait', 'wait_confirm');
	} catch (failure) {
		linkFail(failure);
	}
}

// ---- what a person does ------------------------------------------------------------------------

function numberTold() {
	const text = $('number').value, read = readNumber(text), hint = $('number-hint');
	hint.textContent = text.trim() === '' ? say('number_hint') : read.wrong ? say(read.wrong) : say('number_good', `+${read.digits}`);
	hint.className = `hint ${text.trim() === '' ? '' : read.wrong ? 'bad' : 'good'}`;
	return read;
}

function numberSend(event) {
	event.preventDefault();
	const read = numberTold();
	$('number').setAttribute('aria-invalid', String(Boolean(read.wrong)));
	if (read.wrong) {
		$('number').focus();
		return;
	}
	link.number = read.digits;
	linkStart();
}

function linkTexts() {
	$('link-title').textContent = ONCE ? say('page') : say('link_title', link.name);
	$('link-lead').textContent = ONCE ? (link.expires && say('once_lead', moment(link.expires))) : say('link_lead');
	$('history').replaceChildren(...[0, 7, 30, 90, 365, 3650].map((days) => h('option', { value: days, selected: days === link.history },
		days === 0 ? say('history_0') : days === 365 ? say('history_year') : days === 3650 ? say('history_all') : say('history_days', days))));
	$('qr').alt = say('qr_alt');
	$('wait-text').textContent = say(link.wait);
	numberTold();
	if (link.until !== 0)
		linkTick();
	if (link.failure)
		linkShowFailure();
	if (!$('link-done').hidden)
		$('done-text').textContent = linkDoneText();
}

function linkOpen(name, saved = false) {
	Object.assign(link, { name, saved, method: link.fixedNumber === '' ? 'qr' : 'code', number: '', history: 0, until: 0, failure: null });
	$('number').value = '';
	$('back').hidden = ONCE;
	document.querySelector(`input[value=${link.method}]`).checked = true;
	view('link');
	linkStart();
}

function linkListen() {
	for (const radio of document.querySelectorAll('input[name=method]'))
		radio.addEventListener('change', () => {
			link.method = radio.value;
			linkStart();
		});
	$('number-form').addEventListener('submit', numberSend);
	$('number').addEventListener('input', numberTold);
	$('history').addEventListener('change', () => {
		link.history = Number($('history').value);
		linkStart();
	});
	$('copy-code').addEventListener('click', () => copy(link.code, $('copy-code')));
	$('passkey-go').addEventListener('click', passkeyGo);
	$('passkey-copy').addEventListener('click', () => copy(JSON.stringify(link.publicKey), $('passkey-copy')));
	$('passkey-form').addEventListener('submit', (event) => {
		event.preventDefault();
		let json;
		try {
			json = JSON.parse($('passkey-answer').value);
		} catch {
			showError($('passkey-error'), [say('passkey_json'), '']);
			return;
		}
		passkeySend(json);
	});
	$('confirm-go').addEventListener('click', confirmGo);
	$('confirm-no').addEventListener('click', () => {
		linkStop();
		linkEnd(new Failure('code_differs'));
	});
	$('back').addEventListener('click', listOpen);
	$('done-back').addEventListener('click', listOpen);
}
