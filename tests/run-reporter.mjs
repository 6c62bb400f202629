// tests/run-reporter.mjs - what run.mjs wants to know of a file, as JSON: its counts and the tests that failed or were skipped
import { writeFileSync } from 'node:fs';

const path = process.env.RUN_RESULT;
writeFileSync(path, ''); // before the first test: a file that breaks off is none without tests

export default async function* report(source) {
	const result = { counts: null, failed: [], skipped: [] };
	const names = []; // of the suites that a test is in
	for await (const { type, data } of source) {
		if (type === 'test:start') {
			names.length = data.nesting;
			names.push(data.name);
		} else if (type === 'test:pass' || type === 'test:fail') {
			const name = [...names.slice(0, data.nesting), data.name].join(' > ');
			if (data.skip !== undefined || data.todo !== undefined)
				result.skipped.push(`${name} # SKIP ${data.skip ?? data.todo}`);
			else if (type === 'test:fail' && data.details?.error?.failureType !== 'subtestsFailed')
				result.failed.push(name);
		} else if (type === 'test:summary') {
			result.counts = data.counts;
		}
	}
	writeFileSync(path, JSON.stringify(result));
	yield '';
}
