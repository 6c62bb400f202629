// tests/bench/fleet/messages.mjs - messages of every kind, receipts, calls, labels and groups, and that each arrives once
import { createHash } from 'node:crypto';
import { CALL_TEXT } from './fleet.mjs';
import { pick } from './actors.mjs';

const GROUP_OF = 25; // members for one group
const IN_GROUP = 8;

const kinds = [
	(id) => ({ location: { latitude: 52.5, longitude: 13.25, name: `Place ${id}` } }),
	(id) => ({ contact: { name: `Bo ${id}`, number: '4912345678' } }),
	(id) => ({ poll: { name: `Lunch ${id}?`, options: ['yes', 'no'], selectable: 1 } }),
	(id) => ({ text: `once ${id}`, viewOnce: true }),
	(id) => ({ text: `see ${id}`, link: { url: 'https://example.org/', title: 'Example', description: 'A page' } }),
];
const reactions = [
	(id) => ({ reaction: { id, text: '👍', fromMe: false } }),
	(id) => ({ edit: { id, text: 'as it was meant' } }),
	(id) => ({ revoke: { id } }),
];

export class Messages {
	#sent = 0;
	#labels = 0;

	constructor(fleet) {
		this.fleet = fleet;
		this.groups = [];
		this.texts = new Set(); // answers to calls that have come
		this.files = new Map(); // message -> { size, sha256 }
		fleet.onEvent = (member, event) => this.#onEvent(member, event);
	}

	async start() {
		const { fleet } = this;
		for (let i = 0; i < Math.ceil(fleet.members.length / GROUP_OF); i++) {
			const members = Array.from({ length: IN_GROUP }, (_, k) => fleet.members[(i * GROUP_OF + k * 3) % fleet.members.length]);
			const friend = pick(fleet.friends);
			const made = await fleet.control('/groups', { subject: `Group ${i}`, creator: friend,
				participants: [friend, ...new Set(members.map((m) => m.number))] }, 201);
			this.groups.push({ jid: made.jid, members: [...new Set(members)], friend });
		}
	}

	// ---- sending -----------------------------------------------------------------------------------------------

	#newId() {
		return `50AC${(++this.#sent).toString(16).toUpperCase().padStart(16, '0')}`;
	}

	// receivers: the members whose readers get it.
	async #send(from, to, body, receivers, id = this.#newId()) {
		const keys = receivers.map((m) => `${m.instance.name} ${id}`);
		for (const key of keys)
			this.fleet.ledger.expect(key);
		const r = await this.fleet.control(`/phones/${from}/send`, { to, id, ...body });
		if (r === undefined)
			for (const key of keys)
				this.fleet.ledger.forget(key);
		return id;
	}

	async textIn() {
		const member = pick(this.fleet.members), friend = pick(this.fleet.friends);
		const id = await this.#send(friend, member.number, { text: `hello, number ${this.#sent}` }, [member]);
		if (Math.random() < 0.1)
			await this.#send(friend, member.number, pick(reactions)(id), [member]);
	}

	async textOut() {
		const member = pick(this.fleet.members);
		await this.#send(member.number, pick(this.fleet.friends), { text: `from the phone, number ${this.#sent}` }, [member]);
	}

	async textBetween() {
		const [a, b] = [pick(this.fleet.members), pick(this.fleet.members)];
		if (a !== b)
			await this.#send(a.number, b.number, { text: `between us, number ${this.#sent}` }, [a, b]);
	}

	async other() {
		const member = pick(this.fleet.members);
		await this.#send(pick(this.fleet.friends), member.number, pick(kinds)(this.#sent), [member]);
	}

	// Half of the files are fetched as soon as their message is here.
	async media() {
		const member = pick(this.fleet.members);
		const size = Math.random() < 0.01 ? 262_144 : 500 + Math.floor(Math.random() * 15_000);
		const id = this.#newId();
		if (Math.random() < 0.5)
			this.files.set(id, size);
		await this.#send(pick(this.fleet.friends), member.number,
		    { media: { kind: pick(['image', 'audio', 'document', 'video']), size, seed: this.#sent, mimetype: 'application/octet-stream' } }, [member], id);
	}

	async toGroup() {
		const group = pick(this.groups);
		const from = Math.random() < 0.5 ? group.friend : pick(group.members).number;
		await this.#send(from, group.jid, { text: `to all, number ${this.#sent}` }, group.members);
	}

	// ---- what else happens on phones ---------------------------------------------------------------------------

	async subject() {
		const group = pick(this.groups);
		const name = `Subject ${++this.#labels}`;
		for (const m of group.members)
			this.fleet.ledger.expect(`${m.instance.name} flow ${group.jid} ${name}`, 'notification');
		await this.fleet.control(`/groups/${group.jid}/subject`, { by: group.friend, text: name });
	}

	async label() {
		const member = pick(this.fleet.members.filter((m) => m.labels));
		const labelId = String(1 + Math.floor(Math.random() * 20)), name = `Label ${++this.#labels}`;
		if (member === undefined || member.labelling)
			return;
		member.labelling = true; // two patches at once could make one change of the label unseen
		this.fleet.ledger.expect(`${member.instance.name} label ${labelId} ${name}`, 'app state');
		await this.fleet.control(`/phones/${member.number}/appstate`, { changes: [
			{ action: 'labelEdit', labelId, name, color: 3 },
			{ action: 'contact', jid: `${pick(this.fleet.friends)}@s.whatsapp.net`, name, firstName: 'A', lastName: 'B' },
		] });
	}

	async call() {
		const member = pick(this.fleet.members.filter((m) => m.calls));
		const friend = pick(this.fleet.friends);
		if (member === undefined || member.busy || performance.now() < member.disturbed + 5000)
			return; // calls of a session that is away are gone when it is back
		const r = await this.fleet.control(`/phones/${friend}/call`, { to: member.number });
		if (r !== undefined)
			member.called.add(r.id);
	}

	// The phone has read what came: its companion is told.
	async readHere() {
		const member = pick(this.fleet.members);
		if (member.newest === undefined)
			return;
		const { id, chat } = member.newest;
		member.newest = undefined;
		const key = `${member.instance.name} read ${id}`;
		this.fleet.ledger.expect(key, 'receipt');
		await this.fleet.control(`/phones/${member.number}/read`, { chat, ids: [id] });
	}

	// ---- arriving ----------------------------------------------------------------------------------------------

	#onEvent(member, { event, data }) {
		const { ledger, counts } = this.fleet;
		const { name } = member.instance;
		if (data.fromHistory)
			return;
		if (event === 'message.exchange')
			this.#onMessage(member, data);
		else if (event === 'message.status' && data.status === 'read')
			for (const id of data.messageIds)
				this.#arriveIf(`${name} read ${id}`, member);
		else if (event === 'label.update' && data.chat === undefined) {
			member.labelling = false;
			ledger.arrive(`${name} label ${data.labelId} ${data.name}`, member.disturbed);
		} else if (event === 'group.flow' && data.type === 'subject')
			ledger.arrive(`${name} flow ${data.jid} ${data.name}`, member.disturbed);
		else if (event === 'call.update' && data.automatic)
			member.called.delete(data.id) && counts.add('calls declined');
		counts.add(event === 'instance.state' ? `state ${data.state}` : event);
	}

	#arriveIf(key, member) {
		if (this.fleet.ledger.isExpected(key) || this.fleet.ledger.hasArrived(key))
			this.fleet.ledger.arrive(key, member.disturbed);
	}

	#onMessage(member, data) {
		const { fleet } = this;
		if (data.direction === 'outgoing' && data.message.content === CALL_TEXT) {
			this.#onCallText(member, data);
			return;
		}
		if (!fleet.ledger.arrive(`${member.instance.name} ${data.id}`, member.disturbed))
			return;
		if (data.direction === 'incoming' && data.chat.type === 'private' && data.chat.jid !== undefined)
			member.newest = { id: data.id, chat: data.chat.jid.split('@')[0] };
		const size = this.files.get(data.id);
		if (size !== undefined && this.files.delete(data.id))
			this.#fetch(member, data, size).catch((error) => fleet.problems.add('a file was not fetched', error.stack));
	}

	// The one who called has read the answer: that comes back as its status.
	#onCallText(member, data) {
		const key = `${member.instance.name} text ${data.id}`;
		if (this.texts.has(key))
			this.fleet.problems.add('arrived twice', key);
		this.texts.add(key);
		this.fleet.counts.add('call texts');
		this.fleet.ledger.expect(`${member.instance.name} read ${data.id}`, 'receipt');
		this.fleet.control(`/phones/${data.chat.jid.split('@')[0]}/read`, { chat: member.number, ids: [data.id] });
	}

	async #fetch(member, data, size) {
		const r = await this.fleet.call(member.instance, 'GET', 'chat/base64', { kind: 'file', query: `?messageId=${data.id}` });
		if (r === undefined)
			return;
		const bytes = Buffer.from(r.json.base64, 'base64');
		if (bytes.length !== size || createHash('sha256').update(bytes).digest('hex') !== data.message.media.sha256)
			this.fleet.problems.add('another file', `${member.instance.name} ${data.id}: ${bytes.length} bytes instead of ${size}`);
		this.fleet.counts.add('files fetched');
	}
}
