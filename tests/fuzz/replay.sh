#!/bin/sh
# Run every fuzz target that was built over its corpus. make check sets srcdir; the build folder is the
# current one.
srcdir=${srcdir:-.}
failed=0 ran=0
for target in tests/fuzz/fuzz_*; do
	if [ ! -x "$target" ] || [ ! -f "$target" ]; then
		continue
	fi
	case $target in *.o) continue ;; esac
	name=${target##*/fuzz_}
	if ! "$target" "$srcdir/tests/fuzz/corpus/$name" >"tests/fuzz/$name.replay.log" 2>&1; then
		echo "FAILED fuzz_$name"
		tail -n 40 "tests/fuzz/$name.replay.log"
		failed=$((failed + 1))
	else
		echo "ok fuzz_$name: $(tail -n 1 "tests/fuzz/$name.replay.log")"
	fi
	ran=$((ran + 1))
done
[ "$ran" -gt 0 ] && [ "$failed" -eq 0 ]
