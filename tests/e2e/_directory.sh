# SPDX-License-Identifier: BSD-3-Clause
# turnpike-directory in the lab, and users of databases; sourced after e2e_begin.

directory_realm=lab.turnpike
directory_exe=$E2E_BUILD/control/directory/turnpike-directory
directory_py=$(dirname "${BASH_SOURCE[0]}")/directory.py
relayctl=("$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET")

# directory_configure SOURCE...: each is a line of YAML; control reads them at once.
directory_configure()
{
	sed -i '/^directory:$/,$d' "$TP_CONFIG"
	{
		echo "directory:"
		echo "    sources:"
		printf '        - %s\n' "$@"
	} >> "$TP_CONFIG"
	"${relayctl[@]}" config reload > "$E2E_TMP/reload" 2>&1 || cat "$E2E_TMP/reload"
}

directory_is_up()
{
	"${relayctl[@]}" -j status | python3 -c '
import json, sys
sys.exit(not json.load(sys.stdin).get("directory", {}).get("running"))'
}

directory_is_down()
{
	! directory_is_up
}

directory_start()
{
	e2e_run relay "$directory_exe" --config "$TP_CONFIG" --user turnpike-directory \
		>> "$E2E_TMP/directory.log" 2>&1 9>&- 7>&- &
	e2e_wait 120 directory_is_up
	directory_pid=$(pgrep -f "^$directory_exe --config $TP_CONFIG ")
}

# directory_end SIGNAL
directory_end()
{
	kill "-$1" "$directory_pid"
	e2e_wait 120 directory_is_down
}

# directory_allocate FILE OPTION...: as users of the database, from a.
directory_allocate()
{
	e2e_run a python3 "$directory_py" allocate --server "$TP_RELAY4" "${@:2}" > "$1"
}

# directory_count FILE NAME: of the counts that were printed.
directory_count()
{
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get(sys.argv[2], 0))' "$1" "$2"
}

directory_all_of()
{
	[ "$(directory_count "$1" allocated)" = "$2" ]
}

# Allocates as time-limited users, beside whatever happens to a database.
directory_steady_start()
{
	e2e_background a steady python3 "$directory_py" steady --server "$TP_RELAY4" --threads 2 \
		--secret-file "$TP_LAB_DIR/lab.secret"
	directory_steady_pid=$e2e_pid
}

directory_steady_end()
{
	pkill -TERM -P "$directory_steady_pid" -f 'directory.py steady' 2>/dev/null ||
		kill "$directory_steady_pid"
	wait "$directory_steady_pid"
}

# Nothing refused, and no request sent more often than twice.
directory_steady_lost_nothing()
{
	cat "$E2E_TMP/steady"
	python3 - "$E2E_TMP/steady" <<-'END'
	import json, sys
	c = json.load(open(sys.argv[1]))
	bad = {k: v for k, v in c.items() if k not in ("allocated", "resent", "most_resent")}
	sys.exit(bool(bad) or c["allocated"] < 10 or c.get("most_resent", 0) > 1)
	END
}
