# SPDX-License-Identifier: BSD-3-Clause
# Messages, and the memory of what was done to the machine.

quick_state=/var/lib/turnpike-quickstart

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
	printf '\n== %s (%d s)\n' "$*" $SECONDS
}

# quick_record KIND WORDS...: remembered until --undo.
quick_record()
{
	mkdir -p "$quick_state"
	echo "$*" >> "$quick_state/changes"
}
