#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A wrong password costs as many instructions for a known user, or one seen lately, as for an unknown
# one. Exit status 77: no valgrind.
#
#   password_test.sh PASSWORD_BENCH
set -u
command -v valgrind > /dev/null || { echo "skipped: no valgrind (tools/packages install test)"; exit 77; }

# collected CASE COUNT: instructions inside turn_input.
collected()
{
	valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=turn_input \
		"$bench" "$1" "$2" 2>&1 | sed -n 's/.*Collected : //p'
}

# cost CASE: of one request; the one-time cost of a run is left out.
cost()
{
	local few many

	few=$(collected "$1" 20) && many=$(collected "$1" 60) || return
	echo $(((many - few) / 40))
}

# alike NAME A B: at most 1 % apart.
alike()
{
	local apart=$(($2 > $3 ? $2 - $3 : $3 - $2))

	if [ "$2" -gt 0 ] && [ $((100 * apart)) -le "$2" ]; then
		echo "ok - $1: $2 and $3 instructions"
	else
		echo "not ok - $1: $2 and $3 instructions"
		status=1
	fi
}

bench=$1 status=0
alike "a known and an unknown user" "$(cost known)" "$(cost unknown)"
alike "a credential seen lately and a new one" "$(cost rest-seen)" "$(cost rest-unseen)"
exit $status
