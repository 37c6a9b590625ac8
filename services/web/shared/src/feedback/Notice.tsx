import type { ReactNode } from 'react';
import { CircleAlert, CircleCheck, Info, TriangleAlert } from 'lucide-react';
import classes from './Notice.module.css';

const ICONS = { error: CircleAlert, warning: TriangleAlert, info: Info, success: CircleCheck };

interface NoticeProps {
  kind: keyof typeof ICONS;
  title?: string;
  children: ReactNode;
}

/** Something to know, in the place that it concerns. */
export function Notice({ kind, title, children }: NoticeProps) {
  const Icon = ICONS[kind];
  return (
    <div className={classes.notice} data-kind={kind} role={kind === 'error' ? 'alert' : 'status'}>
      <Icon size={17} aria-hidden />
      <div>
        {title && <div className={classes.title}>{title}</div>}
        {children}
      </div>
    </div>
  );
}
