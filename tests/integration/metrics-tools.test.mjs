// /metrics as Prometheus' own tools see it, and the dashboard and the alerts of contrib/ against a gateway that has done everything.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PLAIN, eventually, startWorld } from './harness.mjs';
import { parse, sample } from './exposition.mjs';
import { DOCUMENT } from './openapi.mjs';
import { Receiver, answer } from './receiver.mjs';
import { asRules, asTest, filesOf, namesIn, promtool, queriesOf, withFiles } from './promtool.mjs';

let world, scraped, families;
const receivers = [];

const receiver = async (meet) => {
	const made = await new Receiver().start();
	made.meet = meet;
	receivers.push(made);
	return made;
};

// Links, a message, webhooks that take, fail and refuse it, errors of every kind, a crash.
async function traffic() {
	const [instance, broken] = [await world.newInstance(), await world.newInstance({ body: { proxyEnabled: true, proxyHost: '127.0.0.1',
		proxyPort: 1, proxyProtocol: 'http' } })];
	const { phone } = await world.link(instance);
	const hooks = [await receiver(answer(200)), await receiver(answer(500)), await receiver(answer(404))];
	for (const [i, { url }] of hooks.entries()) {
		const r = await world.request('POST', `/api/events/webhook/${instance.name}`, { token: instance.account, json: { label: `hook-${i}`, url } });
		assert.equal(r.status, 200, r.text);
		world.secrets.add(r.json.webhook.secret);
	}
	const sender = await world.newPhone();
	await world.control('POST', `/phones/${sender.number}/send`, { to: phone.number, text: 'hello' });
	for (const hook of hooks)
		await hook.until((got) => got.length > 0);
	assert.equal((await world.connect(broken)).status, 500);
	for (const [method, path, token] of [['GET', '/api/instance/list', 'nobody'], ['GET', '/api/instance/connect/none', instance.account],
		['GET', '/nothing'], ['PUT', '/health'], ['POST', `/api/message/text/${instance.name}`, instance.account]])
		await world.request(method, path, { token });
	const [worker] = world.workers(instance);
	process.kill(worker.pid, 'SIGKILL');
	await eventually(async () => sample(parse((await world.request('GET', '/metrics')).text), 'warden_worker_exits_total',
	    { reason: 'crashed' }) === 1, { what: 'the crash in the figures' });
	await eventually(async () => sample(parse((await world.request('GET', '/metrics')).text), 'warden_worker_memory_workers',
	    { kind: 'resident' }) === 1, { what: 'the next worker', timeoutMs: 10_000 });
}

before(async () => {
	world = await startWorld({ gateway: { settings: { webhook_allow_private: 1 } } });
	await traffic();
	scraped = (await world.request('GET', '/metrics')).text;
	families = parse(scraped);
});
after(async () => {
	await world?.stop();
	for (const one of receivers)
		await one.stop();
});

// A route in a query, which may be a pattern of several, is one that there is.
const paths = Object.keys(DOCUMENT.paths).map((p) => p.replace(/\{\w+\}/g, 'x'));
function assertRoutes(expr, where) {
	for (const [, op, value] of expr.matchAll(/route(=~|!~|!=|=)"([^"]*)"/g))
		for (const one of op.endsWith('~') ? value.split(/\|(?![^(]*\))/) : [value]) {
			const regex = new RegExp(`^${one.replace(/:\w+/g, 'x')}$`);
			assert.ok(paths.some((p) => regex.test(p)), `${where}: there is no route ${one}`);
		}
}

// Is there a sample of that name? up is Prometheus' own.
const exposed = (name) => name === 'up' || [...families.values()].some((f) => f.samples.some((s) => s.name === name));

test('promtool has nothing to say about the text', () => {
	const r = promtool(['check', 'metrics'], { input: scraped });
	assert.deepEqual(r, { code: 0, text: '' });
	// and it would
	assert.equal(promtool(['check', 'metrics'], { input: scraped.replaceAll('warden_worker_starts_total', 'warden_worker_starts') }).code, 3);
});

describe('the dashboard', () => {
	for (const { name, text } of filesOf('grafana', '.json')) {
		const dashboard = JSON.parse(text), queries = queriesOf(dashboard);

		test(`${name}: asks only for what there is`, () => {
			assert.ok(queries.length > 20, `${queries.length} queries`);
			for (const { where, expr } of queries) {
				assert.doesNotMatch(expr, /\$/, `${where}: a variable that nobody fills in`);
				assert.ok(namesIn(expr).length > 0, `${where}: no metric in ${expr}`);
				assertRoutes(expr, where);
				for (const metric of namesIn(expr))
					assert.ok(exposed(metric), `${where}: wardend has no ${metric}`);
			}
		});

		test(`${name}: every metric is on it`, () => {
			const shown = new Set(queries.flatMap(({ expr }) => namesIn(expr)).map((n) => n.replace(/_(bucket|sum|count)$/, '')));
			assert.deepEqual([...families.keys()].filter((f) => !shown.has(f)), []);
		});

		test(`${name}: promtool reads every query, and each finds something`, () => {
			withFiles({ 'queries.yml': asRules(queries), 'test.yml': asTest(scraped, queries) }, (cwd) => {
				const read = promtool(['check', 'rules', 'queries.yml'], { cwd });
				assert.equal(read.code, 0, read.text);
				const found = promtool(['test', 'rules', 'test.yml'], { cwd });
				assert.equal(found.code, 0, found.text.slice(0, 3000));
				// a label that is not there is seen
				const bad = [{ expr: 'sum(warden_instances{state="asleep"})' }];
				const seen = withFiles({ 'test.yml': asTest(scraped, bad) }, (dir) => promtool(['test', 'rules', 'test.yml'], { cwd: dir }));
				assert.notEqual(seen.code, 0);
			});
		});

		test(`${name}: panels stand in their places, each with a title, a unit and words`, () => {
			const ids = new Set();
			for (const p of dashboard.panels) {
				assert.ok(p.title, JSON.stringify(p.gridPos));
				assert.ok(p.gridPos.x + p.gridPos.w <= 24, p.title);
				assert.ok(!ids.has(p.id), `${p.title}: id ${p.id} twice`);
				ids.add(p.id);
				if (p.type === 'row')
					continue;
				assert.ok(p.description, `${p.title}: what is it?`);
				assert.ok(p.fieldConfig.defaults.unit, `${p.title}: which unit?`);
				assert.equal(p.datasource.uid, '${datasource}', p.title);
				for (const [i, a] of dashboard.panels.entries())
					assert.ok(a === p || a.gridPos.x >= p.gridPos.x + p.gridPos.w || p.gridPos.x >= a.gridPos.x + a.gridPos.w ||
					    a.gridPos.y >= p.gridPos.y + p.gridPos.h || p.gridPos.y >= a.gridPos.y + a.gridPos.h, `${p.title} and panel ${i} overlap`);
			}
		});
	}
});

describe('the alerts', () => {
	const rules = filesOf('prometheus', '.rules.yml'), tests = filesOf('prometheus', '.test.yml');
	const alerts = rules.flatMap(({ text }) => [...text.matchAll(/^ *- alert: (\w+)$/gm)].map(([, name]) => name));

	// nothing of it changes with the build, and it takes some seconds
	(PLAIN ? test : () => {})('promtool finds nothing wrong, and each fires and stays quiet as it should', () => {
		for (const { url } of rules) {
			const r = promtool(['check', 'rules', '--lint=all', '--lint-fatal', url.pathname]);
			assert.equal(r.code, 0, r.text);
		}
		for (const { url } of tests) {
			const r = promtool(['test', 'rules', url.pathname]);
			assert.equal(r.code, 0, r.text.slice(0, 3000));
		}
	});

	test('each is tested both ways, says what to do, and asks only for what there is', () => {
		assert.ok(alerts.length >= 15, `${alerts.length} alerts`);
		const said = tests.map(({ text }) => text).join('\n');
		for (const name of alerts) {
			const of = said.split(/^ *- eval_time: /m).filter((part) => part.includes(`alertname: ${name}\n`));
			assert.ok(of.some((part) => /exp_alerts: \[\]/.test(part)), `${name} is never seen quiet`);
			assert.ok(of.some((part) => /exp_alerts:\s*\n/.test(part)), `${name} is never seen to fire`);
		}
		for (const { text } of rules)
			for (const [, name, body] of text.matchAll(/^ *- alert: (\w+)\n((?:(?! *- alert:|  - name:).*\n)*)/gm)) {
				const expr = body.match(/expr: (?:\|\n)?([\s\S]*?)\n *(?:for|labels):/)[1];
				assert.ok(namesIn(expr).length > 0, name);
				assertRoutes(expr, name);
				for (const metric of namesIn(expr))
					assert.ok(exposed(metric), `${name}: wardend has no ${metric}`);
				for (const part of ['severity:', 'summary:', 'description:'])
					assert.ok(body.includes(part), `${name} has no ${part}`);
			}
	});
});
