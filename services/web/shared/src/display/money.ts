/** Amounts are nano-dollars, in text or BigInt; prices pico-dollars a token. Never a float. */

const NANO = 9;

export type Amount = string | bigint;

export function nano(amount: Amount | undefined | null): bigint {
  return amount === undefined || amount === null || amount === '' ? 0n : BigInt(amount);
}

/** Rounds half to even to `digits` decimals and writes the number: 1234500000n, 2 -> "1.23". */
export function decimal(value: bigint, scale: number, digits: number): string {
  const negative = value < 0n;
  const size = negative ? -value : value;
  const unit = 10n ** BigInt(scale - digits);
  let rounded = size / unit;
  const rest = (size % unit) * 2n;
  if (rest > unit || (rest === unit && rounded % 2n === 1n)) rounded += 1n;
  const text = rounded.toString().padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits).replace(/\B(?=(\d{3})+$)/g, ',');
  const fraction = digits ? `.${text.slice(-digits)}` : '';
  return `${negative && rounded ? '\u2212' : ''}${whole}${fraction}`;
}

function withSign(text: string): string {
  return text.startsWith('\u2212') ? `\u2212$${text.slice(1)}` : `$${text}`;
}

/** Every digit that counts: "$0.000000042 USD", at least two decimals. */
export function exactMoney(amount: Amount): string {
  const text = decimal(nano(amount), NANO, NANO).replace(/(\.\d{2}\d*?)0+$/, '$1');
  return `${withSign(text)} USD`;
}

/** Cents from a dollar on; below, as many decimals as show three digits that count. */
export function money(amount: Amount): string {
  const value = nano(amount);
  const size = value < 0n ? -value : value;
  if (size === 0n || size >= 1_000_000_000n) return withSign(decimal(value, NANO, 2));
  const leadingZeros = NANO - size.toString().length;
  return withSign(
    decimal(value, NANO, Math.min(NANO, Math.max(2, leadingZeros + 3))).replace(/(\.\d{2}\d*?)0+$/, '$1'),
  );
}

/** A million tokens at `price` pico-dollars a token: 2_500_000 -> "$2.50". */
export function perMillion(price: Amount): string {
  return money(nano(price) * 1000n);
}

/** "12.50" -> 12500000000n. Undefined when it is no amount, or finer than a nano-dollar. */
export function parseMoney(text: string): bigint | undefined {
  const match = /^\$?\s*(\d{1,3}(?:,\d{3})+|\d+)?(?:\.(\d{0,9}))?$/.exec(text.trim());
  if (!match || (!match[1] && !match[2])) return undefined;
  return BigInt((match[1] ?? '0').replaceAll(',', '') + (match[2] ?? '').padEnd(NANO, '0'));
}

/** What a form field shows of an amount: no currency, no needless zeros. */
export function editableMoney(amount: Amount): string {
  return (
    decimal(nano(amount), NANO, NANO)
      .replaceAll(',', '')
      .replace(/\.?0+$/, '') || '0'
  );
}

/** Dollars for the height of a bar: nothing is computed with it. */
export function plottedDollars(amount: Amount): number {
  return Number(nano(amount)) / 1e9;
}

/** `part` of `whole` in percent, 0 when there is no whole. */
export function percent(part: Amount, whole: Amount): number {
  const all = nano(whole);
  return all > 0n ? Number((nano(part) * 10_000n) / all) / 100 : 0;
}
