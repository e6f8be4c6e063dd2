# SPDX-License-Identifier: BSD-3-Clause
# Packages and the release build.

quick_build=${TURNPIKE_BUILD:-$quick_top/build-quickstart}
quick_programs="dataplane/turnpike-dataplane control/turnpike-control tools/turnpike/turnpike
	tools/relayctl/relayctl tools/stream/stream"

# quick_packages GROUP...
quick_packages()
{
	local missing

	quick_step "packages"
	quick_packages_settle
	missing=$(packages_missing "$@") || exit 1
	if [ -z "$missing" ]; then
		echo "all installed"
		return
	fi
	[ -n "$quick_install" ] || quick_die "missing packages (--no-install):" $missing
	packages_installed > "$quick_state/packages.before"
	packages_install "" "$@" 9>&- 2>&1 | quick_progress "$quick_state/packages.log" ||
		quick_die "installation failed; apt's output is in $quick_state/packages.log"
	quick_packages_settle
	echo "$(wc -l < "$quick_state/packages") packages were installed, listed in" \
		"$quick_state/packages"
}

# Packages that are new since packages.before was written are ours, also after a crash in the
# middle.
quick_packages_settle()
{
	[ -e "$quick_state/packages.before" ] || return 0
	comm -13 "$quick_state/packages.before" <(packages_installed) >> "$quick_state/packages"
	rm -f "$quick_state/packages.before"
}

# apt's output goes to a file; the terminal gets its errors and a line now and then.
quick_progress()
{
	local line unpacked=0 configured=0

	: > "$1"
	while IFS= read -r line; do
		echo "$line" >> "$1"
		case $line in
		"Unpacking "*)
			((++unpacked % 25)) || echo "  $unpacked unpacked"
			;;
		"Setting up "*)
			((++configured % 25)) || echo "  $configured set up"
			;;
		E:* | W:* | Err:* | "Need to get"* | *"newly installed"* | "tools/packages:"*)
			echo "  $line"
			;;
		esac
	done
}

quick_compile()
{
	quick_step "build"
	if [ -n "${TURNPIKE_BUILD:-}" ]; then
		echo "$quick_build, unchanged"
	else
		quick_record build "$quick_build"
		echo "$quick_build, with optimisation"
		quick_wait quick_make > "$quick_state/build.log" 2>&1 || {
			tail -n 40 "$quick_state/build.log" >&2
			quick_die "the build failed; its log is $quick_state/build.log"
		}
	fi
	for program in $quick_programs; do
		[ -x "$quick_build/$program" ] || quick_die "no $quick_build/$program"
	done
	export TURNPIKE_BUILD=$quick_build
}

quick_make()
{
	if [ ! -e "$quick_build/build.ninja" ]; then
		# A half-made directory, left by a crash, is no build directory.
		rm -rf "$quick_build"
		meson setup "$quick_build" "$quick_top" -Dbuildtype=release -Dtests=false || return
	fi
	ninja -C "$quick_build" $quick_programs
}
