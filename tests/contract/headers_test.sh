#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Each header compiles alone and quietly, with every compiler that is installed: a header needs no
# other header included before it.
#
#   headers_test.sh ROOT DIRECTORY...    headers in DIRECTORY, an include directory below ROOT
set -u
root=$1
shift
flags="-std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Werror"
includes=
for dir in "$@"; do
	includes="$includes -I$root/$dir"
done
bad=0 checked=0
for cc in gcc clang; do
	command -v "$cc" >/dev/null || continue
	for dir in "$@"; do
		for header in $(cd "$root/$dir" && find . -name '*.h' | sort); do
			# The second inclusion must be empty.
			printf '#include <%s>\n#include <%s>\nextern int unit;\n' "${header#./}" "${header#./}" |
				$cc $flags $includes -x c -fsyntax-only - || {
				echo "$cc: <${header#./}> does not compile alone"
				bad=1
			}
			checked=$((checked + 1))
		done
	done
done
echo "$checked compilations"
[ "$checked" -gt 0 ] && exit $bad
exit 1
