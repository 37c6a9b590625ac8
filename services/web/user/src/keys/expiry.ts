export const LIVES = [
  { value: '30', label: 'In 30 days' },
  { value: '90', label: 'In 90 days' },
  { value: '365', label: 'In a year' },
  { value: 'never', label: 'Never' },
  { value: 'day', label: 'On a day…' },
] as const;

/** What the API wants of a choice: the end of the chosen day, empty for never. */
export function expiresAt(life: string, day: string, now: Date): string {
  if (life === 'never') return '';
  if (life === 'day') return new Date(`${day}T23:59:59`).toISOString();
  return new Date(now.getTime() + Number(life) * 86_400_000).toISOString();
}
