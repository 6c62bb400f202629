// tests/bench/fleet/kernel.mjs - a memory cgroup for the gateway and all that it starts: what they take of the kernel's memory
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';

let made = 0;

// Where there can't be one, its memory is that of the whole machine, by /proc/meminfo. remove(): whether
// it is gone, which it can't be while something runs in it.
export function kernelGroup() {
	try {
		const groups = readFileSync('/proc/self/cgroup', 'utf8');
		const v1 = groups.match(/^\d+:memory:(.*)$/m);
		const path = v1 !== null ? `/sys/fs/cgroup/memory${v1[1]}` : `/sys/fs/cgroup${groups.match(/^0::(.*)$/m)[1]}`;
		const dir = `${path}/warden-bench-${process.pid}-${made++}`;
		mkdirSync(dir);
		return {
			file: v1 !== null ? `${dir}/memory.kmem.usage_in_bytes` : `${dir}/memory.stat`,
			prefix: ['sh', '-c', `echo $$ > ${dir}/cgroup.procs && exec "$@"`, 'sh'],
			remove() {
				try {
					rmdirSync(dir);
					return true;
				} catch {
					return false;
				}
			},
		};
	} catch {
		return { file: '/proc/meminfo', prefix: [], remove: () => true };
	}
}

// KiB: page tables, stacks, sockets, tasks, epoll, files.
export function kernelKib(file) {
	const text = readFileSync(file, 'utf8');
	if (file === '/proc/meminfo')
		return ['Slab', 'PageTables', 'KernelStack', 'Percpu'].reduce((sum, name) =>
			sum + Number(text.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))?.[1] ?? 0), 0);
	return Number(text.match(/^kernel (\d+)$/m)?.[1] ?? text) / 1024;
}
