# cli/wardenctl.bash - bash completion for wardenctl: commands and options, as its --help lists them

_wardenctl() {
	local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words=() i list='' takes='--@(token-file|password-file|quota|history|number|account|per-minute|expires|from|events)'

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		# shellcheck disable=SC2053 # a pattern; == takes it as one of extglob
		if [[ ${COMP_WORDS[i]} != -* && ${COMP_WORDS[i - 1]} != $takes ]]; then
			words+=("${COMP_WORDS[i]}")
		fi
	done
	case $prev in
	--token-file | --password-file)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	# shellcheck disable=SC2053
	if [[ $prev == $takes ]]; then
		return
	fi
	if [[ $cur == -* ]]; then
		list=$("$program" "${words[@]:0:2}" --help 2>/dev/null || "$program" "${words[@]:0:1}" --help 2>/dev/null)
		list=$(sed -n 's/^  \(--[a-z-]*\).*/\1/p' <<<"$list")
	elif ((${#words[@]} == 0)); then
		list=$("$program" --help 2>/dev/null | sed -n '/^Commands:/,/^Options:/s/^  \([a-z]\{1,\}\) .*/\1/p')
	elif ((${#words[@]} == 1)) && [[ ${words[0]} =~ ^[a-z]+$ ]]; then # becomes part of a program for sed
		list=$("$program" --help 2>/dev/null |
			sed -n "/^Commands:/,/^Options:/s/^  ${words[0]} \([a-z]\{1,\}\) .*/\1/p")
	fi
	mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur" | sort -u)
}
complete -F _wardenctl wardenctl
