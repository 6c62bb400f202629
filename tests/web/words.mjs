// tests/web/words.mjs - the page's words and its reader of numbers, and the contract's errors
import { readFileSync } from 'node:fs';

const source = (name) => readFileSync(new URL(`../../web/${name}`, import.meta.url), 'utf8');
export const { WORDS, ERROR_KEY } = new Function(`${source('words.js')}; return { WORDS, ERROR_KEY };`)();
export const readNumber = new Function(`${source('number.js')}; return readNumber;`)();

// Every error.code of contract/http-api.md that a page of ours can meet.
export const CODES = ['instance_name_required', 'invalid_body', 'invalid_token', 'wrong_instance', 'instance_not_found', 'rate_limited',
	'invalid_name', 'not_found', 'method_not_allowed', 'not_acceptable', 'request_timeout', 'body_too_large', 'not_implemented',
	'at_capacity', 'shutting_down', 'bad_request', 'invalid_number', 'invalid_history', 'whatsapp_throttled', 'timeout', 'network', 'dns',
	'tls', 'proxy_unreachable', 'proxy_auth', 'handshake', 'client_outdated', 'banned', 'store_corrupt', 'worker_crashed', 'worker_start',
	'pairing_refused', 'superseded', 'logged_out', 'deleted', 'storage', 'protocol_error', 'already_running', 'code_timeout',
	'stream_replaced', 'temp_banned', 'no_session', 'no_passkey', 'instance_exists', 'quota_exceeded', 'link_not_valid'];
