// App state: what the phone changes reaches its companion, whatever happens on the way; labels are told of, names are used.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, startWorld } from './harness.mjs';
import { linked } from './linked.mjs';
import { StreamFollower } from './eventstream.mjs';

const user = (number) => `${number}@s.whatsapp.net`;

describe('app state', () => {
	let world, instance, phone, ana, events;

	before(async () => {
		world = await startWorld({ sim: { tls: true } });
		ana = await world.newPhone({ name: 'ana' });
		phone = await world.newPhone({ name: 'Shop', chats: 12, messages: 3 });
		instance = await world.newInstance();
		await world.link(instance, { phone });
		events = await new StreamFollower(world, instance, { from: 0 }).open();
	});
	after(async () => {
		await events?.close();
		await world?.stop();
	});

	const change = async (changes, more = {}) => {
		const r = await world.control('POST', `/phones/${phone.number}/appstate`, { changes, ...more });
		assert.ok(r.status < 300, r.text);
		return r.json;
	};
	const label = (fits, what) => events.until((all) => all.find((e) => e.event === 'label.update' && fits(e.data))?.data, { what });
	// What the chat with Ana is called, by a message that comes now.
	const nameOfAna = async () => {
		const r = await world.control('POST', `/phones/${ana.number}/send`, { to: phone.number, text: 'hi' });
		const data = await events.until((all) => all.find((e) => e.data.id === r.json.id)?.data, { what: 'the message' });
		return data.chat.name;
	};
	const called = (name) => eventually(async () => await nameOfAna() === name, { what: `the name ${name}`, timeoutMs: 15_000 });
	const makeLabel = async (labelId, name, more) => {
		await change([{ action: 'labelEdit', labelId, name, color: 3 }], more);
		return label((d) => d.labelId === labelId && d.name === name, name);
	};

	test('contacts give their names, and take them again', async () => {
		assert.equal(await nameOfAna(), 'ana');
		await change([{ action: 'contact', jid: user(ana.number), name: 'Ana Book', firstName: 'Ana', pn: user(ana.number) }]);
		await called('Ana Book');
		await change([{ action: 'contact', jid: user(ana.number), remove: true }]);
		await called('ana');
	});

	test('labels: made, put on, taken off, deleted', async () => {
		const made = await makeLabel('7', 'Paid');
		assert.deepEqual({ ...made, timestamp: 0 }, { labelId: '7', name: 'Paid', added: true, color: 3, timestamp: 0 });
		await change([{ action: 'labelChat', labelId: '7', jid: user(ana.number) }]);
		const on = await label((d) => d.chat !== undefined && d.added, 'the chat labelled');
		assert.equal(on.chat.jid, user(ana.number));
		assert.equal(on.name, 'Paid');
		await change([{ action: 'labelMessage', labelId: '7', jid: user(ana.number), id: 'M1' }]);
		assert.equal((await label((d) => d.messageId === 'M1', 'the message labelled')).added, true);
		await change([{ action: 'labelChat', labelId: '7', jid: user(ana.number), on: false }]);
		await label((d) => d.chat !== undefined && d.messageId === undefined && !d.added, 'the label taken off');
	});

	test('mutations in a file', async () => {
		await makeLabel('8', 'In a file', { external: true });
	});

	test('the own name is shown', async () => {
		await change([{ action: 'pushname', name: 'Shop & Sons' }]);
		await world.until(instance, (i) => i.profile.name === 'Shop & Sons', { timeoutMs: 15_000 });
	});

	for (const [i, flaw] of ['valueMac', 'indexMac'].entries()) {
		test(`a patch with a wrong ${flaw} does not stop what comes after it`, async () => {
			await change([{ action: 'labelEdit', labelId: `b${i}`, name: `Broken ${i}`, color: 1 }], { flaw });
			await makeLabel(`a${i}`, `After ${flaw}`);
			await world.until(instance, 'connected');
		});
	}

	for (const flaw of ['patchMac', 'snapshotMac']) {
		test(`a patch with a wrong ${flaw} holds up its collection until a snapshot is newer`, async () => {
			await change([{ action: 'labelEdit', labelId: flaw, name: 'Forged', color: 1 }], { flaw });
			for (let i = 0; i < 6; i++)
				await change([{ action: 'labelEdit', labelId: `${flaw}${i}`, name: `Behind ${flaw} ${i}`, color: 1 }]);
			await label((d) => d.name === `Behind ${flaw} 5`, 'the last');
		});
	}

	test('a new key is taken; one that is missing is asked for', async () => {
		await makeLabel('9', 'New key', { rotateKey: true });
		await makeLabel('10', 'Key asked for', { rotateKey: true, share: false });
	});

	test('what changed while nobody listened', async () => {
		await world.killGateway();
		for (const worker of world.workers(instance))
			process.kill(worker.pid, 'SIGKILL');
		await change([{ action: 'labelEdit', labelId: '11', name: 'Meanwhile', color: 1 }]);
		await world.startGateway();
		await world.until(instance, 'connected', { timeoutMs: 20_000 });
		await label((d) => d.labelId === '11', 'the label');
	});
});
