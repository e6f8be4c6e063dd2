# SPDX-License-Identifier: BSD-3-Clause
# Messages, and the record of changes to the machine: the directory $quick_state, with `changes`
# (one line for each that --undo takes back: KIND NAME), `packages` and the build's log.

quick_say()
{
	echo "quickstart: $*"
}

quick_die()
{
	echo "quickstart: $*" >&2
	exit 1
}

# quick_step TITLE: a heading with the time that has passed.
quick_step()
{
	printf '\n== %s  (after %d s)\n' "$*" $SECONDS
}

quick_name_option()
{
	[ -z "$quick_name" ] || echo " --name $quick_name"
}

# One quickstart of a name at a time. Children do not inherit descriptor 9: daemons would keep it.
quick_begin()
{
	quick_state=/var/lib/turnpike-quickstart${quick_name:+-$quick_name}
	mkdir -p /run/lock
	exec 9>"/run/lock/turnpike-quickstart${quick_name:+-$quick_name}.lock"
	flock -n 9 || quick_die "another tools/quickstart$(quick_name_option) runs"
	[ $quick_mode = undo ] || mkdir -p "$quick_state"
	trap quick_interrupted INT TERM HUP
}

quick_interrupted()
{
	trap '' INT TERM HUP
	[ -z "${quick_child:-}" ] || kill "$quick_child" 2>/dev/null
	[ $quick_mode = undo ] ||
		quick_say "interrupted; tools/quickstart --undo$(quick_name_option) undoes the changes so far"
	exit 130
}

# quick_record KIND NAME: records a change before it is made, until --undo.
quick_record()
{
	grep -qsxF "$*" "$quick_state/changes" || echo "$*" >> "$quick_state/changes"
}

# quick_forget KIND NAME: the change has been undone.
quick_forget()
{
	grep -vxF "$*" "$quick_state/changes" > "$quick_state/changes.new"
	mv "$quick_state/changes.new" "$quick_state/changes"
}

quick_recorded()
{
	grep -qsxF "$*" "$quick_state/changes"
}

# quick_wait COMMAND...: in the background, so that a signal is handled at once.
quick_wait()
{
	local status

	"$@" 9>&- &
	quick_child=$!
	wait $quick_child
	status=$?
	quick_child=
	return $status
}
