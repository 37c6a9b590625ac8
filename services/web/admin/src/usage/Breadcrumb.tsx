import { Anchor } from '@mantine/core';
import { ChevronRight } from 'lucide-react';
import { dimensionOf, type Filter } from './dimensions';
import { Labelled } from './UsageTable';
import classes from './Usage.module.css';

interface BreadcrumbProps {
  /** What is filtered by, in the order it was gone into. */
  filters: readonly (readonly [Filter, string])[];
  /** Keeps so many of them, and shows the dimension of the first that falls away. */
  onKeep: (count: number) => void;
}

/** How one came here, and the way back. */
export function Breadcrumb({ filters, onKeep }: BreadcrumbProps) {
  return (
    <nav aria-label="Filters" className={classes.crumbs}>
      <ol>
        <li>
          {filters.length === 0 ? (
            'Everything'
          ) : (
            <Anchor component="button" type="button" inherit onClick={() => onKeep(0)}>
              Everything
            </Anchor>
          )}
        </li>
        {filters.map(([dimension, value], at) => (
          <li key={dimension}>
            <ChevronRight size={14} aria-hidden />
            <span>
              <span className={classes.kind}>{dimensionOf(dimension)!.label} </span>
              {at === filters.length - 1 ? (
                <strong>
                  <Labelled by={dimension} value={value} />
                </strong>
              ) : (
                <Anchor component="button" type="button" inherit onClick={() => onKeep(at + 1)}>
                  <Labelled by={dimension} value={value} />
                </Anchor>
              )}
            </span>
          </li>
        ))}
      </ol>
    </nav>
  );
}
