import { Anchor } from '@mantine/core';
import { Link } from 'react-router';
import { useName, type Kind } from './names';
import classes from './Name.module.css';

const PAGES: Record<Kind, (id: string) => string> = {
  organization: id => `/organizations/${id}`,
  team: id => `/teams/${id}`,
  user: id => `/users/${id}`,
  key: id => `/keys/${id}`,
};

interface NameProps {
  kind: Kind;
  id: string;
  /** Leads to its page. */
  link?: boolean;
  /** Instead of a name when there is no id. */
  none?: string;
}

const LONGEST_ID = 20;
/** The whole id is in the title. */
const short = (id: string) => (id.length > LONGEST_ID ? `${id.slice(0, LONGEST_ID - 2)}…` : id);

/** What an id stands for, by its name; the id itself while that is not known, or when it is gone. */
export function Name({ kind, id, link, none = '–' }: NameProps) {
  const name = useName(kind, id);
  if (!id) return <span className={classes.none}>{none}</span>;
  const shown = name ?? <span className="mono">{short(id)}</span>;
  if (!link)
    return (
      <span className={classes.name} title={id}>
        {shown}
      </span>
    );
  return (
    <Anchor
      component={Link}
      inherit
      to={PAGES[kind](encodeURIComponent(id))}
      className={classes.name!}
      title={id}
    >
      {shown}
    </Anchor>
  );
}
