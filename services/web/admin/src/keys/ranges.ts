const RANGE = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:.]*)(\/\d{1,3})?$/i;

/** What is wrong with a list of networks, null when nothing seems to be: the server looks closer. */
export function validRanges(ranges: readonly string[]): string | null {
  const wrong = ranges.find(range => !RANGE.test(range));
  return wrong === undefined ? null : `${wrong} is no network in CIDR notation.`;
}
