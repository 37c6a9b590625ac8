import { exactMoney, money, type Amount } from './money';

/** An amount with its currency; the exact one is in the title. */
export function Money({ amount }: { amount: Amount }) {
  return (
    <span className="numeric" title={exactMoney(amount)}>
      {money(amount)}
    </span>
  );
}
