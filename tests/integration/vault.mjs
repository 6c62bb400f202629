// tests/integration/vault.mjs - opens what is sealed at rest, by its description alone (common/sealed.h)
import { createDecipheriv, hkdfSync } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const HEAD = 5, NONCE = 12, TAG = 16;

// The key of an owner: an instance's id, or 'registry'.
export function deriveKey(master, owner, epoch = 1) {
	return Buffer.from(hkdfSync('sha256', master, '', `warden ${owner} ${epoch}`, 32));
}

// place: { owner, table, column, row }. Throws when it does not open.
function openSealed(key, envelope, { owner, table, column, row }) {
	const head = envelope.subarray(0, HEAD);
	const cipher = createDecipheriv('aes-256-gcm', key, envelope.subarray(HEAD, HEAD + NONCE));
	cipher.setAuthTag(envelope.subarray(-TAG));
	cipher.setAAD(Buffer.from([head.toString('hex'), owner.length, owner, table.length, table, column.length, column, row]
	    .join('|')));
	return Buffer.concat([cipher.update(envelope.subarray(HEAD + NONCE, -TAG)), cipher.final()]);
}

// A database that somebody holds, as it is now.
export function withCopy(path, body) {
	const dir = mkdtempSync(join(tmpdir(), 'warden-vault-'));
	try {
		for (const suffix of ['', '-wal'])
			if (existsSync(path + suffix))
				copyFileSync(path + suffix, join(dir, `copy.db${suffix}`));
		const db = new DatabaseSync(join(dir, 'copy.db'));
		try {
			return body(db);
		} finally {
			db.close();
		}
	} finally {
		rmSync(dir, { recursive: true });
	}
}

// { name: private key } of a linked instance's session.db.
export function sessionKeys(path, master, id) {
	const key = deriveKey(master, id);
	const open = (envelope, place) => openSealed(key, Buffer.from(envelope), { owner: id, ...place });
	return withCopy(path, (db) => {
		const keys = { instanceKey: key };
		const link = db.prepare('SELECT noise_key, identity_key, signed_prekey FROM link').get();
		for (const [column, envelope] of Object.entries(link))
			keys[column] = open(envelope, { table: 'link', column, row: 1 });
		for (const { id: row, priv } of db.prepare('SELECT id, priv FROM prekey ORDER BY id LIMIT 3').all())
			keys[`prekey ${row}`] = open(priv, { table: 'prekey', column: 'priv', row });
		return keys;
	});
}
