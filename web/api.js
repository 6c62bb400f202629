// web/api.js - requests to the gateway: with a token that only this variable holds, or, below /l/, with none
const ONCE = /\/l\/[a-z2-7]{32}$/.test(location.pathname);
// Relative to where the page is, so that a proxy may put it under any path.
const BASE = ONCE ? location.pathname + '/' : location.pathname.replace(/[^/]*$/, '') + 'api/instance/';
const SILENCE_MS = 50000;
const ANSWER_MS = 90000; // a logout may have to log in first
let token = '';

class Failure extends Error {
	constructor(code, detail, status, retryAfter) {
		super(code);
		Object.assign(this, { code, detail, status, retryAfter });
	}
}

function request(path, options) {
	const headers = { ...options.headers };
	if (/[^!-~]/.test(token)) // what no header can hold is no token
		throw new Failure('invalid_token');
	if (token !== '')
		headers.token = token;
	return fetch(BASE + path, { ...options, headers, cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer' })
		.catch((error) => {
			throw error.name === 'AbortError' ? error : new Failure('offline');
		});
}

async function failureOf(response) {
	const answer = await response.json().catch(() => ({}));
	return new Failure(answer.error?.code ?? 'unknown', answer.error?.detail, response.status, Number(response.headers.get('retry-after')) || 0);
}

async function call(method, path, body) {
	const signal = AbortSignal.timeout(ANSWER_MS);
	const response = await request(path, { method, signal, ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) });
	if (!response.ok)
		throw await failureOf(response);
	return response.json().catch(() => {
		throw new Failure('offline'); // it broke off; or what answers is no gateway
	});
}

/*
 * Server-sent events by fetch, since EventSource can't send a token. onEvent(name, data) for each; resolves at the
 * stream's end, rejects with a Failure, or with an AbortError when the caller has aborted control.
 */
async function follow(path, control, onEvent) {
	const response = await request(path, { headers: { accept: 'text/event-stream' }, signal: control.signal });
	if (!response.ok)
		throw await failureOf(response);
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '', timer, aborted = true;
	const silent = () => {
		aborted = false;
		control.abort();
	};
	try {
		for (;;) {
			timer = setTimeout(silent, SILENCE_MS);
			const { value, done } = await reader.read();
			clearTimeout(timer);
			if (done)
				return;
			const blocks = (rest + value).split('\n\n');
			rest = blocks.pop();
			for (const block of blocks) {
				const name = block.match(/^event: (.*)$/m), data = block.match(/^data: (.*)$/m);
				if (name && data)
					onEvent(name[1], JSON.parse(data[1]));
			}
		}
	} catch (error) {
		throw control.signal.aborted && aborted ? error : new Failure('offline');
	} finally {
		clearTimeout(timer);
	}
}
