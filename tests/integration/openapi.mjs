// tests/integration/openapi.mjs - is an answer, or an event on whatever way it comes, what openapi.json says it is?
import { readFileSync } from 'node:fs';

// Of tests/package-lock.json, so ./check has it; openapi.test.mjs insists on it. By hand it may be missing: then nothing is compared.
const Ajv2020 = await import('ajv/dist/2020.js').then((m) => m.default, () => undefined);
export const COMPARES = Ajv2020 !== undefined;

const DOCUMENT = JSON.parse(readFileSync(new URL('../../web/openapi.json', import.meta.url), 'utf8'));
// What the gate and the router say before any operation is found: of every path.
const BEFORE = [400, 404, 405, 408, 413, 503];

/*
 * Clients are to ignore what they don't know, so the document leaves every object open. What we send has to be in it: here every object
 * that lists its members has no others. One that allOf builds upon is left open where it stands there, and closed with the rest of it.
 */
function closed(document) {
	const walk = (node, inside) => {
		if (Array.isArray(node))
			return node.map((x) => walk(x, inside));
		if (node === null || typeof node !== 'object')
			return node;
		const made = Object.fromEntries(Object.entries(node).map(([k, v]) => [k, walk(v, k === 'allOf')]));
		if (inside && made.$ref !== undefined)
			made.$ref = made.$ref.replace('/schemas/', '/open/');
		if (!inside && (made.allOf !== undefined || (made.type !== undefined && made.properties !== undefined)))
			made.unevaluatedProperties = false;
		return made;
	};
	const made = walk(document, false);
	made.components.open = Object.fromEntries(Object.entries(made.components.schemas).map(([name, schema]) => {
		const { unevaluatedProperties, ...open } = schema;
		return [name, open];
	}));
	return made;
}

const ajv = COMPARES ? new Ajv2020({ strict: false, allErrors: true, formats: { 'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/ } }) : undefined;
ajv?.addSchema(closed(DOCUMENT), 'openapi.json');
const pointer = (...parts) => parts.map((p) => `/${encodeURIComponent(String(p).replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');
const validators = new Map();

function validator(ref) {
	if (!validators.has(ref))
		validators.set(ref, ajv.compile({ $ref: `openapi.json#${ref}` }));
	return validators.get(ref);
}

// "/api/instance/connect/{instance}" takes one segment there, which may be empty or missing.
const TEMPLATES = Object.keys(DOCUMENT.paths).map((path) => ({ path,
	regex: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\/\{instance\}$/, '(?:/[^/]*)?').replace(/\{\w+\}/g, '[^/]+')}$`) }));

// [where the schema is, the response] of one that is written out or a reference to components.
function resolve(where, response) {
	if (response.$ref === undefined)
		return [where, response];
	const name = response.$ref.split('/').at(-1);
	return [pointer('components', 'responses', name), DOCUMENT.components.responses[name]];
}

// undefined, or what is wrong with an answer { status, headers, json }.
export function differs(method, target, answer) {
	const path = target.replace(/[?#].*$/, ''), verb = method.toLowerCase();
	if (!COMPARES || ['head', 'options'].includes(verb))
		return undefined;
	const said = `${method} ${path.replace(/^\/l\/[^/]*/, '/l/…')}: ${answer.status}`;
	const template = TEMPLATES.find(({ regex }) => regex.test(path))?.path;
	const operation = DOCUMENT.paths[template]?.[verb];
	if (operation === undefined || answer.status === 405) {
		if (!BEFORE.includes(answer.status))
			return `${said}: there is no such operation in openapi.json`;
		return validate(said, pointer('components', 'schemas', 'Error'), answer.json);
	}
	const written = operation.responses[answer.status];
	if (written === undefined)
		return `${said} is not in openapi.json`;
	const [where, response] = resolve(pointer('paths', template, verb, 'responses', answer.status), written);
	const type = (answer.headers.get('content-type') ?? '').split(';')[0];
	if (response.content === undefined)
		return type === '' ? undefined : `${said} has a body, which openapi.json does not say`;
	if (response.content[type] === undefined)
		return `${said} is ${type}, which openapi.json does not say`;
	return type === 'application/json' ? validate(said, `${where}${pointer('content', type, 'schema')}`, answer.json) : undefined;
}

// One event of a text/event-stream answer.
export function differsStreamed(target, event, json) {
	const path = target.replace(/[?#].*$/, '');
	if (!COMPARES)
		return undefined;
	const said = `event ${event} of ${path.replace(/^\/l\/[^/]*/, '/l/…')}`;
	const template = TEMPLATES.find(({ regex }) => regex.test(path))?.path;
	const known = DOCUMENT.paths[template]?.get?.responses['200'].content['text/event-stream']?.['x-events'];
	if (known?.[event] === undefined)
		return `${said} is not in openapi.json`;
	return validate(said, pointer('paths', template, 'get', 'responses', '200', 'content', 'text/event-stream', 'x-events', event), json);
}

// An event as a WebSocket or a webhook's receiver gets it. Of its kind's schema alone, for an error that can be read.
export function differsEvent(json) {
	if (!COMPARES)
		return undefined;
	const one = DOCUMENT.components.schemas.Event.oneOf.findIndex(({ allOf }) => allOf[1].properties.event.const === json?.event);
	return validate(`event ${json?.event}`, pointer('components', 'schemas', 'Event', ...(one < 0 ? [] : ['oneOf', one])), json);
}

function validate(said, ref, json) {
	const valid = validator(ref);
	return valid(json) ? undefined : `${said} is not as openapi.json says: ${ajv.errorsText(valid.errors).slice(0, 400)}; ` +
	    `${[...new Set(valid.errors.map((e) => e.params.unevaluatedProperty).filter(Boolean))].join(' ')}; ${JSON.stringify(json)?.slice(0, 300)}`;
}

export { DOCUMENT };
