// The last events of a link that is over: the gateway gets them, even from a worker that dies before it could give them.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from './harness.mjs';
import { linked, restartGateway, withWorld } from './linked.mjs';
import { StreamFollower, assertWhole } from './eventstream.mjs';

describe('a link that is over', () => {
	for (const how of ['the gateway goes on', 'the gateway is new'])
		test(`loses none of its last events with its worker: ${how}`, () => withWorld({}, async (world) => {
			const { instance, phone } = await linked(world);
			const bob = await world.newPhone();
			const [worker] = world.workers(instance);
			const dir = join(world.dataDir, 'instances', worker.id);
			// The gateway hangs: what comes now is in the worker's hands, and the link ends behind it.
			process.kill(world.gateway.pid, 'SIGSTOP');
			const sent = [];
			for (let i = 0; i < 20; i++)
				sent.push((await world.control('POST', `/phones/${bob.number}/send`, { to: phone.number, text: `last ${i}` })).json.id);
			const receipts = async () => (await world.control('GET', `/phones/${bob.number}/receipts`)).json.receipts;
			await eventually(async () => { const r = await receipts(); return sent.every((id) => r.some((x) => x.id === id && /:\d+@/.test(x.from))); },
			    { what: 'the receipts', timeoutMs: 15_000 });
			const [device] = (await world.control('GET', `/phones/${phone.number}`)).json.devices;
			await world.control('DELETE', `/phones/${phone.number}/devices/${device.id}`);
			await eventually(() => readdirSync(dir).includes('events.left') && !readdirSync(dir).includes('session.db'),
			    { what: 'the session to be set aside', timeoutMs: 15_000 });
			process.kill(worker.pid, 'SIGKILL');
			if (how === 'the gateway goes on') {
				process.kill(world.gateway.pid, 'SIGCONT');
			} else {
				world.gateway.kill('SIGKILL');
				await world.gateway.waitExit();
				await world.startGateway({});
			}
			const events = await new StreamFollower(world, instance, { from: 0 }).open();
			const got = (all) => all.filter((e) => e.event === 'message.exchange').map((e) => e.data.id);
			await events.until((all) => got(all).length >= sent.length, { what: 'the last events', timeoutMs: 20_000 });
			assert.deepEqual(got(events.events), sent);
			assertWhole(events.events);
			// What was on its way when the worker died is known: at the latest the next gateway's worker says it again, and it is not doubled.
			if (how === 'the gateway goes on')
				await restartGateway(world);
			await eventually(() => !readdirSync(dir).includes('events.left'), { what: 'the file to be gone', timeoutMs: 15_000 });
			await world.until(instance, (i) => ['loggedout', 'disconnected'].includes(i.connection.state), { timeoutMs: 15_000 });
			await events.close();
			assert.deepEqual(got(events.events), sent);
		}));
});
