# SPDX-License-Identifier: BSD-3-Clause
# Packages and the release build.

quick_build=${TURNPIKE_BUILD:-$quick_top/build-quickstart}

quick_packages()
{
	quick_step "packages"
	if [ -n "$quick_install" ]; then
		mkdir -p "$quick_state"
		packages_install "$quick_state/packages" build lab || quick_die "packages are missing"
	fi
}

quick_compile()
{
	quick_step "build in $quick_build"
	[ -z "${TURNPIKE_BUILD:-}" ] || return 0
	if [ ! -e "$quick_build/build.ninja" ]; then
		quick_record build "$quick_build"
		meson setup "$quick_build" "$quick_top" -Dbuildtype=release -Dtests=false \
			> "$quick_state/build.log" 2>&1 || quick_build_failed
	fi
	ninja -C "$quick_build" > "$quick_state/build.log" 2>&1 || quick_build_failed
}

quick_build_failed()
{
	tail -n 40 "$quick_state/build.log" >&2
	quick_die "the build failed; its log is $quick_state/build.log"
}
