# SPDX-License-Identifier: BSD-3-Clause
# The users that the relay's processes run as: made for the lab where the machine has none, and
# removed with the last lab that asked for them.

users_up()
{
	"$LAB_TOP/tools/install-users" --for "lab-$LAB_NAME" > /dev/null || return
	chgrp turnpike-files "$LAB_DIR" && chmod 0771 "$LAB_DIR"
}

users_down()
{
	[ ! -e "/var/lib/turnpike-users/for-lab-$LAB_NAME" ] ||
		"$LAB_TOP/tools/install-users" --remove --for "lab-$LAB_NAME"
}
