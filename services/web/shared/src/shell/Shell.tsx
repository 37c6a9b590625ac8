import { AppShell, Badge, Burger, Loader, ScrollArea } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Suspense, useEffect } from 'react';
import { NavLink, Outlet, useLocation } from 'react-router';
import { AwayNotice } from '../feedback/AwayNotice';
import { useCan, useInfo } from '../session/session';
import { Mark } from './Mark';
import { itemAt, visible, type NavigationGroup } from './navigation';
import { NotAllowed } from './NotAllowed';
import { UserMenu } from './UserMenu';
import classes from './Shell.module.css';

interface ShellProps {
  product: string;
  navigation: readonly NavigationGroup[];
  /** The link to the other dashboard, as it is called here. */
  otherLabel: string;
}

/** Navigation at the side, or behind a button on a phone, and the page. */
export function Shell({ product, navigation, otherLabel }: ShellProps) {
  const [opened, { toggle, close }] = useDisclosure();
  const can = useCan();
  const info = useInfo();
  const { pathname } = useLocation();
  useEffect(close, [close, pathname]);
  const here = itemAt(navigation, pathname);
  const barred = here?.needs && !here.needs.some(can);
  const environment = info.data?.environment;

  return (
    <AppShell
      layout="alt"
      header={{ height: { base: 56, sm: 0 } }}
      navbar={{ width: 240, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      classNames={{ navbar: classes.navbar, header: classes.header, main: classes.main }}
    >
      <a className={classes.skip} href="#content">
        Skip to the content
      </a>
      <AppShell.Header hiddenFrom="sm">
        <Burger opened={opened} onClick={toggle} size="sm" aria-label="Navigation" />
        <Mark product={product} />
      </AppShell.Header>
      <AppShell.Navbar>
        <div className={classes.head}>
          <Mark product={product} />
          <Burger opened onClick={close} size="sm" hiddenFrom="sm" aria-label="Close the navigation" />
        </div>
        <ScrollArea className={classes.scroll} type="scroll">
          <nav aria-label="Main">
            {visible(navigation, can).map((group, at) => (
              <div key={group.label ?? at} className={classes.group}>
                {group.label && <div className={classes.groupLabel}>{group.label}</div>}
                {group.items.map(({ label, to, icon: Icon }) => (
                  <NavLink key={to} to={to} end={to === '/'} className={classes.link!}>
                    <Icon size={17} strokeWidth={1.9} aria-hidden />
                    {label}
                  </NavLink>
                ))}
              </div>
            ))}
          </nav>
        </ScrollArea>
        <div className={classes.foot}>
          {environment && environment !== 'production' && (
            <Badge variant="default" size="sm" className={classes.environment!}>
              {environment}
            </Badge>
          )}
          <UserMenu otherLabel={otherLabel} />
        </div>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <div className={classes.content}>
          <AwayNotice />
          <Suspense fallback={<Loader type="dots" aria-label="Loading" />}>
            {barred ? <NotAllowed page={here.label} /> : <Outlet />}
          </Suspense>
        </div>
      </AppShell.Main>
    </AppShell>
  );
}
