# SPDX-License-Identifier: BSD-3-Clause
# The lab, the streams in it, and the closing report.

quick_lab_mode()
{
	local status

	quick_lab=${quick_name:-lab}
	quick_lab_need_free
	quick_packages build lab ${quick_browser:+browser}
	quick_compile
	quick_lab_up
	set -a
	eval "$(quick_lab_tool env)"
	set +a
	quick_wait /usr/bin/python3 -B "$quick_lib/streams.py" --seconds "$quick_seconds"
	status=$?
	if [ $status = 0 ] && [ -n "$quick_browser" ]; then
		quick_wait /usr/bin/python3 -B "$quick_lib/browsers.py" --seconds "$quick_seconds"
		status=$?
	fi
	quick_lab_changes
	quick_lab_next
	if [ $status != 0 ]; then
		quick_say "FAILED after $SECONDS s, see above; logs are in $TP_LAB_DIR" >&2
		exit 1
	fi
	quick_say "done in $SECONDS s"
}

quick_lab_tool()
{
	"$quick_top/tools/lab" --name "$quick_lab" "$@" 9>&-
}

# A lab of that name which was not made here is somebody's work.
quick_lab_need_free()
{
	if [ -e "/run/turnpike-$quick_lab" ] && ! quick_recorded lab "$quick_lab"; then
		quick_die "a lab '$quick_lab' is up that quickstart did not start: end it (tools/lab down)," \
			"or choose another --name"
	fi
}

quick_lab_up()
{
	quick_step "the lab"
	if quick_recorded lab "$quick_lab"; then
		quick_lab_tool down
	fi
	quick_record lab "$quick_lab"
	quick_lab_tool up ${quick_no_huge:+--no-huge} 2>&1 || quick_die "the lab did not come up"
	echo "two clients, a and b, whose firewall lets them reach only the relay:"
	quick_lab_tool status | sed 1d
}

# Everything that is now different on this machine.
quick_lab_changes()
{
	echo
	echo "changed on this machine:"
	quick_packages_changes
	quick_change build "$TURNPIKE_BUILD"
	quick_change namespaces "$TP_NS_NET $TP_NS_A $TP_NS_B $TP_NS_RELAY; every link, address, route,"
	quick_change "" "sysctl and nft rule is inside them"
	quick_change processes "turnpike-dataplane, turnpike-control in $TP_NS_RELAY"
	quick_change users "those two, groups turnpike-files, turnpike-tables and turnpike, unless" \
		"they were there"
	quick_change files "$TP_LAB_DIR (logs, sockets, certificates), /etc/netns/*tp-*/,"
	quick_change "" "$quick_state"
	quick_change hugepages "$(quick_lab_tool status | sed -n 's/^ *hugepages *//p')"
}

# quick_change PROCESS WORDS...
quick_change()
{
	printf '  %-11s %s\n' "$1" "${*:2}"
}

quick_packages_changes()
{
	local n=0

	[ ! -s "$quick_state/packages" ] || n=$(wc -l < "$quick_state/packages")
	[ $n = 0 ] && quick_change packages "none" ||
		quick_change packages "$n installed, listed in $quick_state/packages"
}

quick_lab_next()
{
	local option=

	[ "$quick_lab" = lab ] || option=" --lab $quick_lab"
	echo
	echo "undo everything:     tools/quickstart --undo$(quick_name_option)"
	echo "inspect the relay:   $TURNPIKE_BUILD/tools/relayctl/relayctl -s $TP_SOCKET"
	if ! command -v chromium >/dev/null; then
		echo "browsers:            tools/packages install browser"
	fi
	echo "open the call page:  tools/voicecall/voicecall open a$option"
	echo "                     and in another terminal: open b$option"
}
