// tests/integration/faultrun.mjs - records the calls of a scene, then fails one after the other
import assert from 'node:assert/strict';
import { symbols } from './faultctl.mjs';
import { FaultWorld } from './faultworld.mjs';
import { scenes } from './faultscenes.mjs';

const CRASHES = new Set([4, 6, 7, 8, 11, 31]); // signals that nobody sends

// Worlds at the same addresses: what one has recorded, another can be told to fail.
async function openWorld(name) {
	const scene = scenes[name];
	const world = new FaultWorld();
	let ctx;
	try {
		await world.open({ env: await scene.env?.(world), speed: scene.speed, sim: scene.sim });
		ctx = await scene.once?.(world);
		await round(world, scene, ctx); // what is done once only is done
		await world.settle();
		return { world, scene, ctx };
	} catch (error) {
		await closeWorld({ world, scene, ctx }).catch(() => {});
		throw error;
	}
}

async function closeWorld({ world, scene, ctx }) {
	world.faults?.off();
	if (ctx !== undefined)
		await scene.end?.(world, ctx).catch(() => {});
	await world.stop().finally(() => scene.close?.(world));
}

// One round without a fault.
async function round(world, scene, once) {
	const ctx = await scene.prepare(world, once) ?? once;
	const outcome = await scene.act(world, ctx);
	assert.equal(outcome, 'ok', 'a round without a fault');
	await scene.after(world, ctx);
}

// Every distinct call of two rounds, and how many calls there were in all.
export async function recorded(name) {
	const open = await openWorld(name);
	try {
		const { world, scene } = open;
		for (let i = 0; i < 2; i++) {
			const ctx = await scene.prepare(world, open.ctx) ?? open.ctx;
			world.faults.record({ anew: i === 0 });
			assert.equal(await scene.act(world, ctx), 'ok');
			world.faults.off();
			await scene.after(world, ctx);
		}
		return { calls: world.faults.calls(), counts: world.faults.counts(), lost: world.faults.lost };
	} finally {
		await closeWorld(open);
	}
}

// Each call, in each way it can fail: the first time, and the last of many.
export function pointsOf({ calls }) {
	return calls.flatMap((call) => Array.from({ length: call.variants }, (_, variant) =>
		({ ...call, variant, skip: 0, key: `${call.role}/${call.cls}/${call.fn}/${call.hash}/${variant}` }))).flat();
}

function crashes(gateway, from) {
	return gateway.lines.slice(from).map(({ json }) => json).filter((j) => CRASHES.has(j?.signal));
}

// One point. Answers { fired, outcome, ms, failure? }; after a failure the world is of no use any more.
async function runPoint(open, point) {
	const { world, scene } = open;
	const began = performance.now();
	const gateway = world.gateway;
	const from = gateway.lines.length;
	const result = { fired: undefined, outcome: undefined };
	let step = 'prepare';
	try {
		const ctx = await scene.prepare(world, open.ctx) ?? open.ctx;
		step = 'act';
		world.faults.arm(point);
		result.outcome = await scene.act(world, ctx);
		result.fired = world.faults.fired();
		world.faults.off();
		step = 'after';
		await scene.after(world, ctx);
		step = 'rest';
		if (!scene.changesGateway)
			assert.equal(world.gateway, gateway);
		await world.rest();
		result.heap = scene.changesGateway ? undefined : await world.heap();
		const crashed = [...crashes(gateway, from), ...(world.gateway === gateway ? [] : crashes(world.gateway, 0))];
		assert.deepEqual(crashed, [], 'a process crashed');
		assert.deepEqual(world.faults.crash(), [], 'a process crashed');
	} catch (error) {
		result.fired ??= world.faults.fired();
		world.faults.off();
		result.failure = `${step}: ${error.message}`;
		if (world.gateway.result !== undefined)
			result.failure += `; wardend ended with ${JSON.stringify(world.gateway.result)}`;
		result.crash = symbols(world.faults.crash());
		result.log = world.gateway.tail(12);
	}
	result.ms = Math.round(performance.now() - began);
	return result;
}

/*
 * The points, in so many worlds at once. onResult(point, result) hears of each; going() says whether there is time left.
 */
export async function runPoints(name, points, { lanes = 1, onResult, going = () => true }) {
	const queue = [...points];
	const lane = async () => {
		let open;
		try {
			while (queue.length > 0 && going()) {
				open ??= await openWorld(name).catch((error) => {
					onResult({ key: 'a new world', role: '-', cls: '-' }, { outcome: 'no world', failure: error.message });
				});
				if (open === undefined)
					return;
				const point = queue.shift();
				const result = await runPoint(open, point);
				if (result.fired !== undefined)
					result.stack = symbols(result.failure !== undefined ? result.fired.frames : []);
				onResult(point, result);
				if (result.failure !== undefined) {
					await closeWorld(open).catch((error) => {
						result.atEnd = error.message;
					});
					open = undefined;
				}
			}
		} finally {
			if (open !== undefined)
				await closeWorld(open).catch((error) =>
					onResult({ key: 'the end', role: '-', cls: '-' }, { outcome: 'end', failure: error.message }));
		}
	};
	await Promise.all(Array.from({ length: Math.min(lanes, queue.length) }, lane));
}

export { scenes };
