// biome-ignore lint/style/noDefaultExport: an action is one
export default {
  name: 'hog',
  options: (z) => z.object({ hog: z.string() }),
  run() {
    for (const all = []; ; ) all.push(Buffer.alloc(8 * 2 ** 20, 1))
  },
}
