// biome-ignore lint/style/noDefaultExport: an action is one
export default {
  name: 'spin',
  options: (z) => z.object({ spin: z.string() }),
  run() {
    for (;;);
  },
}
