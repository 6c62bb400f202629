/*
 * cli/main.c - wardenctl: the command line of a Warden gateway
 *
 * Process-wide set-up only; the commands are in ctl_command.c.
 */
#include <signal.h>
#include <sys/prctl.h>

#include "cli/ctl_command.h"

int main(int argc, char **argv)
{
	/* A pipe that nobody reads is a failed write, told as such. */
	signal(SIGPIPE, SIG_IGN);
#ifndef WARDEN_SANITIZERS /* the leak check has to look into the process */
	/* holds tokens: no core, no reading by others of the same user */
	prctl(PR_SET_DUMPABLE, 0);
#endif
	return (int)ctl_command_main(argc, argv);
}
