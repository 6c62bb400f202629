// tests/integration/image.mjs - read a QR code back: from a PNG, an SVG, or a terminal's half blocks
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SCALE = 6; // pixels a module
const QUIET = 4; // modules of light border

// The text of the one QR code in an image file's bytes.
function scanImage(bytes, suffix) {
	const dir = mkdtempSync(join(tmpdir(), 'warden-qr-'));
	try {
		const file = join(dir, `code.${suffix}`);
		writeFileSync(file, bytes);
		const r = spawnSync('zbarimg', ['--quiet', '--raw', '--nodbus', '-Sdisable', '-Sqrcode.enable', file],
		    { encoding: 'utf8' });
		if (r.error !== undefined)
			throw r.error;
		if (r.status !== 0)
			throw new Error(`zbarimg found no code (exit ${r.status}): ${r.stderr}`);
		return r.stdout.replace(/\n$/, '');
	} finally {
		rmSync(dir, { recursive: true, force: true });
	}
}

export function scanPng(bytes) {
	return scanImage(bytes, 'png');
}

// rows: strings or arrays of booleans, true is dark.
function scanModules(rows) {
	const width = (Math.max(...rows.map((row) => row.length)) + 2 * QUIET) * SCALE;
	const height = (rows.length + 2 * QUIET) * SCALE;
	const pixels = Buffer.alloc(width * height, 255);
	rows.forEach((row, y) => row.forEach((dark, x) => {
		if (!dark)
			return;
		for (let dy = 0; dy < SCALE; dy++) {
			const at = ((y + QUIET) * SCALE + dy) * width + (x + QUIET) * SCALE;
			pixels.fill(0, at, at + SCALE);
		}
	}));
	return scanImage(Buffer.concat([Buffer.from(`P5\n${width} ${height}\n255\n`), pixels]), 'pgm');
}

// What a terminal with light text on a dark ground shows: a filled half is light, a gap is dark.
// Explicit colours (SGR 30-37, 40-47, 90-97, 100-107, 7, 38/48;5 and ;2) are followed.
function modulesOfTerminal(text) {
	const rows = [];
	for (const line of text.split('\n')) {
		const top = [];
		const bottom = [];
		let foreLight = true;
		let backLight = false;
		for (const part of line.matchAll(/\x1b\[([0-9;]*)m|([\s\S])/gu)) {
			if (part[1] !== undefined) {
				({ foreLight, backLight } = applyColour(part[1], foreLight, backLight));
				continue;
			}
			const halves = { '█': [true, true], '▀': [true, false], '▄': [false, true], ' ': [false, false],
				'\u00a0': [false, false] }[part[2]];
			if (halves === undefined)
				continue;
			top.push(!(halves[0] ? foreLight : backLight));
			bottom.push(!(halves[1] ? foreLight : backLight));
		}
		if (top.length > 0)
			rows.push(top, bottom);
	}
	return rows;
}

function applyColour(codes, fore, back) {
	let foreLight = fore;
	let backLight = back;
	const list = codes === '' ? [0] : codes.split(';').map(Number);
	for (let i = 0; i < list.length; i++) {
		const c = list[i];
		if (c === 0) {
			foreLight = true;
			backLight = false;
		} else if (c === 7) {
			[foreLight, backLight] = [backLight, foreLight];
		} else if (c === 38 || c === 48) {
			const light = list[i + 1] === 5 ? [7, 15, 231, 255].includes(list[i + 2]) : list[i + 2] > 127;
			i += list[i + 1] === 5 ? 2 : 4;
			if (c === 38)
				foreLight = light;
			else
				backLight = light;
		} else if ((c >= 30 && c <= 37) || (c >= 90 && c <= 97)) {
			foreLight = c % 10 === 7;
		} else if ((c >= 40 && c <= 47) || (c >= 100 && c <= 107)) {
			backLight = c % 10 === 7;
		}
	}
	return { foreLight, backLight };
}

export function scanTerminal(text) {
	return scanModules(modulesOfTerminal(text));
}

// Rasterise the plain SVG the gateway draws: rectangles, or one path of m/h/v/z moves, in module units.
export function scanSvg(svg) {
	const view = svg.match(/viewBox="0 0 ([0-9.]+) ([0-9.]+)"/);
	if (view === null)
		throw new Error('no viewBox in the SVG');
	const size = Number(view[1]);
	const rows = Array.from({ length: size }, () => new Array(size).fill(false));
	const fill = (x, y, w, h, dark) => {
		for (let j = y; j < y + h; j++)
			for (let i = x; i < x + w; i++)
				if (j >= 0 && j < size && i >= 0 && i < size)
					rows[j][i] = dark;
	};
	for (const [element] of svg.matchAll(/<(?:rect|path)\b[^>]*>/g)) {
		const attr = (name) => element.match(new RegExp(`\\b${name}="([^"]*)"`))?.[1];
		const dark = !/^#?(fff|ffffff|white)$/i.test(attr('fill') ?? 'black');
		if (element.startsWith('<rect')) {
			const length = (name) => {
				const v = attr(name) ?? '0';
				return v.endsWith('%') ? size * Number(v.slice(0, -1)) / 100 : Number(v);
			};
			fill(length('x'), length('y'), length('width'), length('height'), dark);
		} else {
			fillPath(attr('d') ?? '', (x, y, w, h) => fill(x, y, w, h, dark));
		}
	}
	return scanModules(rows);
}

// A path made of closed axis-parallel rectangles.
function fillPath(d, fill) {
	let x = 0;
	let y = 0;
	let box = null;
	const grow = () => {
		box = box === null ? [x, y, x, y] :
		    [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)];
	};
	for (const [, op, args] of d.matchAll(/([MmHhVvLlZz])([^MmHhVvLlZz]*)/g)) {
		const n = (args.match(/-?[0-9.]+/g) ?? []).map(Number);
		const relative = op === op.toLowerCase();
		switch (op.toLowerCase()) {
		case 'm':
			x = n[0] + (relative ? x : 0);
			y = n[1] + (relative ? y : 0);
			box = null;
			grow();
			break;
		case 'l':
			x = n[0] + (relative ? x : 0);
			y = n[1] + (relative ? y : 0);
			grow();
			break;
		case 'h':
			x = n[0] + (relative ? x : 0);
			grow();
			break;
		case 'v':
			y = n[0] + (relative ? y : 0);
			grow();
			break;
		case 'z':
			fill(box[0], box[1], box[2] - box[0], box[3] - box[1]);
			[x, y] = [box[0], box[1]];
			break;
		}
	}
}
