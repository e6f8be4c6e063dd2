# SPDX-License-Identifier: BSD-3-Clause
# Takes back what was recorded, newest first.

quick_undo()
{
	local kind what

	[ -e "$quick_state" ] || { quick_say "nothing to undo"; return 0; }
	if [ -e "$quick_state/changes" ]; then
		while read -r kind what; do
			case $kind in
			lab) quick_lab=$what quick_lab_tool down; quick_say "lab $what is down" ;;
			build) rm -rf "$what"; quick_say "removed $what" ;;
			esac
		done < <(tac "$quick_state/changes" | awk '!seen[$0]++')
		rm -f "$quick_state/changes" "$quick_state/build.log"
	fi
	if [ -s "$quick_state/packages" ]; then
		if [ -n "$quick_remove_packages" ]; then
			packages_remove "$quick_state/packages"
		else
			quick_say "$(wc -l < "$quick_state/packages") packages stay installed;" \
				"tools/quickstart --undo --packages removes them"
		fi
	fi
	rmdir "$quick_state" 2>/dev/null || true
}
