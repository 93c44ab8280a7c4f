// Adds files to a zip archive without packing them, for pictures that only the browser can draw.

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_SIZE = 22;
const UTF8_NAME = 0x0800;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** @param {Uint8Array} data */
export function crc32(data) {
  let value = 0xffffffff;
  for (const byte of data) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** A record of little-endian numbers. @param {[bytes: 2 | 4, value: number][]} fields */
function record(fields) {
  const size = fields.reduce((sum, [bytes]) => sum + bytes, 0);
  const view = new DataView(new ArrayBuffer(size));
  let at = 0;
  for (const [bytes, value] of fields) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += bytes;
  }
  return new Uint8Array(view.buffer);
}

/** Members that the local and the central record of a file share.
 * @param {Uint8Array} name @param {Uint8Array} data @param {Date} now @returns {[2 | 4, number][]} */
function common(name, data, now) {
  const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
  const date = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  return [
    [2, 20], [2, UTF8_NAME], [2, 0], [2, time], [2, date],
    [4, crc32(data)], [4, data.length], [4, data.length], [2, name.length], [2, 0],
  ]; // prettier-ignore
}

/** Where the list of files is. Raises RangeError if this is no archive. @param {Uint8Array} archive */
function findEnd(archive) {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  for (let at = archive.length - END_SIZE; at >= 0; at--) {
    if (view.getUint32(at, true) !== END) continue;
    return { count: view.getUint16(at + 10, true), size: view.getUint32(at + 12, true), start: view.getUint32(at + 16, true) };
  }
  throw new RangeError("not a zip archive");
}

/**
 * The archive with more files. @param {Uint8Array<ArrayBuffer>} archive
 * @param {{name: string, data: Uint8Array<ArrayBuffer>}[]} files @param {Date} [now]
 */
export function withFiles(archive, files, now = new Date()) {
  const { count, size, start } = findEnd(archive);
  /** @type {BlobPart[]} */
  const parts = [archive.slice(0, start)];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const central = [archive.slice(start, start + size)];
  let offset = start;
  for (const { name, data } of files) {
    const title = new TextEncoder().encode(name);
    const shared = common(title, data, now);
    const local = record([[4, LOCAL], ...shared]);
    parts.push(local, title, data);
    central.push(record([[4, CENTRAL], [2, 20], ...shared, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), title);
    offset += local.length + title.length + data.length;
  }
  const listed = central.reduce((sum, part) => sum + part.length, 0);
  const total = count + files.length;
  const end = record([[4, END], [2, 0], [2, 0], [2, total], [2, total], [4, listed], [4, offset], [2, 0]]);
  return new Blob([...parts, ...central, end], { type: "application/zip" });
}
