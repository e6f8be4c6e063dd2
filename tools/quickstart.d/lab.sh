# SPDX-License-Identifier: BSD-3-Clause
# The lab, the streams in it, the numbers.

quick_lab_tool()
{
	TURNPIKE_BUILD=$quick_build "$quick_top/tools/lab" --name "$quick_lab" "$@"
}

quick_lab_up()
{
	quick_step "the lab"
	if grep -qsx "lab $quick_lab" "$quick_state/changes"; then
		quick_lab_tool down
	fi
	quick_record lab "$quick_lab"
	quick_lab_tool up || quick_die "the lab did not come up"
}

quick_lab_mode()
{
	local status

	quick_packages
	quick_compile
	quick_lab_up
	set -a
	eval "$(quick_lab_tool env)"
	set +a
	TURNPIKE_BUILD=$quick_build python3 "$quick_lib/call.py" --seconds "$quick_seconds"
	status=$?
	echo
	quick_say "the lab stays up; a call in it: tools/voicecall/voicecall open a (and: open b)"
	quick_say "take it all back: tools/quickstart --undo"
	exit $status
}
