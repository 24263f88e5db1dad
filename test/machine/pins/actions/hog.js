export default {
  name: 'hog',
  options: (z) => z.object({ hog: z.string() }),
  run() {
    for (const all = []; ; ) all.push(Buffer.alloc(8 * 2 ** 20, 1))
  },
}
