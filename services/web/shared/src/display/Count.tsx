import { exactCount, shortCount } from './count';

/** How many: requests, tokens. Large ones are short, the exact one is in the title. */
export function Count({ of }: { of: string | number | bigint }) {
  return (
    <span className="numeric" title={exactCount(of)}>
      {shortCount(of)}
    </span>
  );
}
