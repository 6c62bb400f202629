// tests/bench/screen.mjs - from the gateway's code to its picture on a screen, and from the click to it
import { startWorld } from '../integration/harness.mjs';
import { openPage, shown, signIn, startBrowser } from '../web/browser.mjs';
import { describeMachine, row, summary } from './machine.mjs';

const N = Number(process.argv[2] ?? 20);
const AIM_MS = 300;

// In the page: when the picture was decoded and the frame with it was drawn.
function watchPicture() {
	window.painted = new Promise((resolve) => {
		const picture = document.getElementById('qr');
		picture.addEventListener('load', () => requestAnimationFrame(() => requestAnimationFrame(() => resolve(Date.now()))), { once: true });
	});
	window.clickedAt = new Promise((resolve) => document.addEventListener('click', () => resolve(Date.now()), { once: true, capture: true }));
}

const world = await startWorld({ sim: { tls: true } });
const browser = await startBrowser();
const fromCode = [], fromClick = [];
try {
	const account = await world.account();
	for (let i = 0; i < N; i++) {
		const instance = await world.newInstance();
		const page = await openPage(browser, world);
		await signIn(page, account.token);
		await page.evaluate(watchPicture);
		const ready = world.gateway.event('code_ready', { instance: instance.id }).then(() => Date.now());
		await page.click(`[data-name=${instance.name}] [data-do=link]`);
		await shown(page, '#stage-code');
		const [at, painted, clicked] = await Promise.all([ready, page.evaluate(() => window.painted), page.evaluate(() => window.clickedAt)]);
		fromCode.push(Math.max(0, painted - at));
		fromClick.push(painted - clicked);
		await page.context().close();
	}
	console.log(`screen: ${N} instances in turn, in chromium on the machine of gateway and simulator`);
	console.log(describeMachine());
	console.log(`${''.padEnd(24)}${'median'.padStart(9)}${'p95'.padStart(9)}${'max'.padStart(9)}`);
	console.log(row('  from click to screen', fromClick));
	console.log(row('from code to screen', fromCode));
	console.log(`aim: <= ${AIM_MS} ms: ${summary(fromCode).max <= AIM_MS ? 'reached' : 'MISSED'}`);
} finally {
	await browser.close();
	await world.stop();
}
