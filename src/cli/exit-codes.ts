/** What `damselfly` returns to the shell and to systemd. */
export const exitCodes = {
  ok: 0,
  /** It was understood and did not work: a port that is taken, a pin that is busy, a file that is not there. */
  failed: 1,
  /** It was not understood: a mistake in `.env`, in `damselfly.yaml` or on the command line. */
  misconfigured: 2,
  /** There is no running daemon to ask; as `systemctl status` has it. */
  notRunning: 3,
  /** `sub -W` is over; mosquitto_sub has the same. */
  timedOut: 27,
} as const
