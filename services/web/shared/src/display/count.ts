/** Counts come as texts of 64 bits. */
const PLAIN = new Intl.NumberFormat();
const COMPACT = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });

export const exactCount = (count: string | number | bigint): string => PLAIN.format(BigInt(count));

/** 12,345 in full, 1.2M from a hundred thousand on. */
export function shortCount(count: string | number | bigint): string {
  const value = BigInt(count);
  return value >= 100_000n ? COMPACT.format(value) : PLAIN.format(value);
}
