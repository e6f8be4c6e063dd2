# SPDX-License-Identifier: BSD-3-Clause
# Undoes the recorded changes, newest first. Each step may have been done already, or half.

quick_undo()
{
	local kind what quick_failed=

	if [ ! -e "$quick_state" ]; then
		quick_say "nothing to undo"
		return 0
	fi
	[ ! -e "$quick_state/changes" ] || while read -r kind what <&3; do
		if quick_undo_$kind "$what"; then
			quick_forget "$kind" "$what"
		else
			quick_failed=yes
		fi
	done 3< <(tac "$quick_state/changes")
	packages_allow_starts
	quick_packages_settle
	rm -f "$quick_state"/{build.log,packages.log,rest.secret}
	[ -s "$quick_state/changes" ] || rm -f "$quick_state/changes"
	quick_undo_packages
	rmdir "$quick_state" 2>/dev/null
	[ ! -e "$quick_state" ] || quick_say "kept: $quick_state"
	[ -z "$quick_failed" ]
}

quick_undo_lab()
{
	quick_lab=$1
	quick_lab_tool down || return
	quick_say "lab '$1' is down: namespaces, hugepages, mounts, files"
}

quick_undo_relay()
{
	host_names "$1"
	host_down || return
	quick_say "relay '$1' is gone: processes, XDP program, nft table, sysctl, hugepages, files"
}

quick_undo_build()
{
	rm -rf "$1"
	quick_say "removed $1"
}

# Whether the packages may go: other software may need them by now.
quick_may_remove()
{
	local answer

	[ -z "$quick_yes" ] || return 0
	if [ ! -t 0 ]; then
		echo "quickstart: without a terminal, removing packages needs --yes;" \
			"they are listed in $quick_state/packages" >&2
		quick_failed=yes
		return 1
	fi
	fold -s -w 78 <(tr '\n' ' ' < "$quick_state/packages") >&2
	printf '\nquickstart: remove these packages and their configuration? [y/N] ' >&2
	read -r answer
	[[ $answer = [yY] || $answer = [yY][eE][sS] ]] || {
		quick_say "the packages stay"
		return 1
	}
}

quick_undo_packages()
{
	if [ ! -s "$quick_state/packages" ]; then
		rm -f "$quick_state/packages"
	elif [ -n "$quick_remove_packages" ]; then
		quick_may_remove || return
		packages_remove "$quick_state/packages" || quick_die "apt did not remove the packages"
	else
		quick_say "$(wc -l < "$quick_state/packages") packages stay installed, listed in" \
			"$quick_state/packages;" \
			"to remove them too: tools/quickstart --undo --packages$(quick_name_option)"
	fi
}
