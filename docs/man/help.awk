# docs/man/help.awk - what a program's --help says, as mdoc(7)
#
# mode=settings   wardend's table: flag, environment variable, help, default
# mode=variables  the same table, the environment variable first
# mode=options    lines of the form "  --name ARG   text", with their continuations
# mode=command    one "wardenctl COMMAND --help": usage, text, example, options by name
#
# It knows the layout that the programs print and stops at a line that does not fit, so that a table
# that is printed in another way breaks the build and not the page.

function fail(line) {
	printf "help.awk: mode %s does not understand: %s\n", mode, line >"/dev/stderr"
	failed = 1
	exit 1
}

# A text line: no roff in it.
function text(s) {
	gsub(/\\/, "\\e", s)
	if (s ~ /^[.']/)
		s = "\\&" s
	return s
}

# Arguments of a macro: no word is a macro or a delimiter by accident.
function args(s, n, i, w, out) {
	gsub(/\\/, "\\e", s)
	gsub(/"/, "\\(dq", s)
	n = split(s, w, " ")
	for (i = 1; i <= n; i++)
		out = out (i > 1 ? " " : "") (w[i] ~ /^([A-Z][a-z]?[a-z]?|[][().,:;?!|"]+)$/ ? "\\&" : "") w[i]
	return out
}

# "--name ARG" as macros; a hyphen in a name stays one.
function flag(s, space) {
	space = index(s, " ")
	if (space == 0)
		return "Fl " substr(s, 2)
	return "Fl " substr(s, 2, space - 2) " Ar " args(substr(s, space + 1))
}

function sentence(s) {
	s = text(s)
	return s ~ /[.:]$/ ? s : s "."
}

# One sentence a line, as roff wants it.
function sentences(s, out) {
	while (match(s, /[a-z)]\. [A-Z]/)) {
		out = out substr(s, 1, RSTART + 1) "\n"
		s = substr(s, RSTART + 3)
	}
	return out s
}

function end_list() {
	if (in_list)
		print ".El"
	in_list = 0
}

function begin_list(what) {
	if (!in_list)
		print what
	in_list = 1
}

# ---- wardend's table

(mode == "settings" || mode == "variables") && /^Other flags:/ {
	end_list()
	skip = 1
}
(mode == "settings" || mode == "variables") && !skip && /^  (--|WARDEN_)/ {
	line = substr($0, 3)
	comma = index(line, ", WARDEN_")
	variable = comma ? substr(line, comma + 2) : line
	begin_list(".Bl -tag -width Ds")
	if (mode == "variables")
		print ".It Ev " variable
	else if (comma)
		print ".It " flag(substr(line, 1, comma - 1)) " , Ev " variable
	else
		print ".It Ev " variable
	seen++
	next
}
(mode == "settings" || mode == "variables") && !skip && /^      default: / {
	print ".br\nDefault:"
	value = substr($0, 16)
	print value == "(none)" ? "none." : ".Li " args(value)
	next
}
(mode == "settings" || mode == "variables") && !skip && /^      / {
	print sentence(toupper(substr($0, 7, 1)) substr($0, 8))
	next
}

# ---- options

mode == "options" && /^  --/ {
	line = substr($0, 3)
	gap = match(line, /   */)
	begin_list(".Bl -tag -width Ds")
	seen++
	if (gap == 0 && line ~ /^--help, --version$/) {
		print ".It Fl -help\nPrint a summary and end.\n.It Fl -version\nPrint the version and end."
		next
	}
	if (gap == 0)
		fail($0)
	print ".It " flag(substr(line, 1, gap - 1))
	line = substr(line, gap)
	sub(/^ */, "", line)
	gsub(/   *\(/, " (", line)
	print text(line)
	next
}
mode == "options" && in_list && /^    +[^ ]/ {
	line = $0
	sub(/^ */, "", line)
	print text(line)
	next
}
mode == "options" && in_list && /^$/ { end_list() }

# ---- one command

mode == "command" && NR == 1 {
	if (!sub(/^usage: wardenctl /, "") || !sub(/ \[OPTIONS\]$/, ""))
		fail($0)
	print ".It Nm Ic " args($0)
	seen++
	next
}
mode == "command" && /^Examples?:$/ { part = "example"; print ".Bd -literal -offset 2n"; next }
mode == "command" && /^Options:$/ { part = "options"; next }
mode == "command" && part == "example" && /^$/ { print ".Ed"; part = ""; next }
mode == "command" && part == "example" { print text(substr($0, 3)); next }
mode == "command" && part == "options" && /^  --/ {
	line = substr($0, 3)
	gap = match(line, /   */)
	line = substr(line, 1, gap - 1)
	if (line != "--help" && line != "--version" && line != "--json")
		options = options (options == "" ? "" : " ,\n.") flag(line)
	next
}
mode == "command" && part == "options" && /^$/ {
	if (options != "")
		print "Options:\n." options " ."
	part = "where"
	next
}
mode == "command" && part == "where" { next }
mode == "command" && part == "" && NF { print sentences(text($0)) }

END {
	if (failed)
		exit 1
	end_list()
	if (!seen) {
		printf "help.awk: mode %s found nothing\n", mode >"/dev/stderr"
		exit 1
	}
}
