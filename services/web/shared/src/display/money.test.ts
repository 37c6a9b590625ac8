import { describe, expect, it } from 'vitest';
import { decimal, editableMoney, exactMoney, money, parseMoney, percent, perMillion } from './money';

describe('money', () => {
  it.each([
    ['0', '$0.00'],
    ['1234500000', '$1.23'],
    ['1235000000', '$1.24'],
    ['1225000000', '$1.22'],
    ['999999999', '$1.00'],
    ['123456789012000000000', '$123,456,789,012.00'],
    ['42', '$0.000000042'],
    ['1520000', '$0.00152'],
    ['250000000', '$0.25'],
    ['-1234500000', '\u2212$1.23'],
    ['-42', '\u2212$0.000000042'],
  ])('shows %s nano-dollars as %s', (amount, text) => expect(money(amount)).toBe(text));

  it('keeps every digit where a float would lose some', () => {
    expect(exactMoney('9007199254740993000000001')).toBe('$9,007,199,254,740,993.000000001 USD');
    expect(exactMoney('1500000000')).toBe('$1.50 USD');
    expect(exactMoney('100')).toBe('$0.0000001 USD');
  });

  it('rounds half to even', () => {
    expect(decimal(5n, 1, 0)).toBe('0');
    expect(decimal(15n, 1, 0)).toBe('2');
    expect(decimal(-4n, 1, 0)).toBe('0');
  });

  it('prices a million tokens', () => {
    expect(perMillion('2500000')).toBe('$2.50');
    expect(perMillion('75000')).toBe('$0.075');
  });

  it.each([
    ['12.5', 12_500_000_000n],
    ['$1,000', 1_000_000_000_000n],
    ['.000000001', 1n],
    ['0', 0n],
  ])('reads %s', (text, amount) => expect(parseMoney(text)).toBe(amount));

  it.each(['', '.', '1,00', '-1', '1e3', '0.0000000001', 'abc'])('refuses "%s"', text =>
    expect(parseMoney(text)).toBeUndefined(),
  );

  it('gives back to a form what was typed', () => {
    for (const text of ['12.5', '0', '1000', '0.000000001'])
      expect(editableMoney(parseMoney(text)!)).toBe(text);
  });

  it('knows shares', () => {
    expect(percent('1', '3')).toBe(33.33);
    expect(percent('5', '0')).toBe(0);
  });
});
