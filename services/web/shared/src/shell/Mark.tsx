import classes from './Shell.module.css';

/** Name and sign of the product. */
export function Mark({ product }: { product: string }) {
  return (
    <span className={classes.mark}>
      <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden>
        <rect width="32" height="32" rx="8" fill="var(--mantine-color-accent-6)" />
        <path
          d="M9 10.5h5.5L20 21.5M9 21.5h5.5L20 10.5"
          fill="none"
          stroke="#fff"
          strokeWidth="2.6"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
        <circle cx="22" cy="10.5" r="2.4" fill="#fff" />
        <circle cx="22" cy="21.5" r="2.4" fill="#fff" />
      </svg>
      {product}
    </span>
  );
}
