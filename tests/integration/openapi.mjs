// tests/integration/openapi.mjs - is an answer what openapi.json says it is?
import { readFileSync } from 'node:fs';

// Of tests/package-lock.json, so ./check has it; openapi.test.mjs insists on it. By hand it may be missing: then nothing is compared.
const Ajv2020 = await import('ajv/dist/2020.js').then((m) => m.default, () => undefined);
export const COMPARES = Ajv2020 !== undefined;

const DOCUMENT = JSON.parse(readFileSync(new URL('../../web/openapi.json', import.meta.url), 'utf8'));
// What the gate and the router say before any operation is found: of every path.
const BEFORE = [400, 404, 405, 408, 413, 503];

const ajv = COMPARES ? new Ajv2020({ strict: false, allErrors: true, formats: { 'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/ } }) : undefined;
ajv?.addSchema(DOCUMENT, 'openapi.json');
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

function validate(said, ref, json) {
	const valid = validator(ref);
	return valid(json) ? undefined : `${said} is not as openapi.json says: ${ajv.errorsText(valid.errors).slice(0, 400)}; ${JSON.stringify(json)?.slice(0, 300)}`;
}

export { DOCUMENT };
