#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every event of <log/event.h> is logged somewhere: docs/events.md must not promise lines that never
# come.
set -eu
top=$1
events=$(grep -oE 'X\([A-Z0-9_]+, "' "$top/lib/log/include/log/event.h" | grep -oE '[A-Z0-9_]{2,}')
[ -n "$events" ]
status=0
for event in $events; do
	grep -rqE --include='*.[ch]' "LOG_EV_$event\b" \
		"$top/control" "$top/dataplane" "$top/lib" "$top/tools" && continue
	echo "$event is in <log/event.h>, but nothing logs it" >&2
	status=1
done
exit $status
