// Numbers of the page: base64 of deflated differences, all low bytes before all high bytes.
"use strict";
async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const n = bytes.length / 2;
  const numbers = new Int16Array(n);
  for (let i = 0, last = 0; i < n; i++) {
    last = (last + bytes[i] + 256 * bytes[n + i]) << 16 >> 16;
    numbers[i] = last;
  }
  return numbers;
}
