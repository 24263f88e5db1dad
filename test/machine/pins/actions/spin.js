export default {
  name: 'spin',
  options: (z) => z.object({ spin: z.string() }),
  run() {
    for (;;);
  },
}
